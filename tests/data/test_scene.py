from dataclasses import replace

import pytest
import torch

from bghop.data.augment import AugmentOptions, Motion, draw_motion, mirror_hands, no_motion
from bghop.data.scene import SceneBuilder
from bghop.errors import DataError, OptionError
from bghop.fields.grid_spec import GridSpec
from bghop.fields.hand_field import hand_field
from bghop.geometry.rotations import random_rotations
from bghop.geometry.transforms import transform_points

SPEC = GridSpec(frame="object", unit=0.30)
MIRROR = torch.tensor([-1.0, 1.0, 1.0])


@pytest.fixture(scope="module")
def builder(records, objects, hand_model):
    return SceneBuilder(records, objects, hand_model, SPEC, augment=AugmentOptions(rotation="any"))


def motion(num, *, mirrored, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return Motion(
        mirrored=torch.full((num,), mirrored),
        R=random_rotations(num, generator=generator),
        shift=0.02 * torch.randn(num, 3, generator=generator),
    )


def to_surface(builder, scenes):
    """Distances of all joints to the object, asked in the object's own frame."""
    points = transform_points(scenes.T_object_frame, scenes.joints.flatten(1, 2))
    index = builder.objects.index_of([builder.records.object[i] for i in scenes.row.tolist()])
    return builder.objects.distance(index, builder.records.joint_value[scenes.row], points)


def between_hands(scenes):
    left, right = scenes.joints.unbind(1)
    return torch.cdist(left, right)


def test_a_motion_of_the_scene_changes_no_distance(builder):
    rows = torch.arange(12)
    still = builder.moved(rows, no_motion(12))
    turned = builder.moved(rows, motion(12, mirrored=False))
    assert not torch.allclose(still.joints, turned.joints, atol=0.05)
    assert torch.allclose(to_surface(builder, still), to_surface(builder, turned), atol=2e-6)
    assert torch.allclose(between_hands(still), between_hands(turned), atol=2e-6)


def test_mirroring_changes_no_distance_and_swaps_the_hands(builder):
    rows = torch.arange(12)
    still = builder.moved(rows, no_motion(12))
    seen = builder.moved(rows, motion(12, mirrored=True))
    swapped = to_surface(builder, seen).unflatten(1, (2, 21)).flip(1).flatten(1)
    assert torch.allclose(to_surface(builder, still), swapped, atol=2e-6)
    assert torch.allclose(between_hands(still), between_hands(seen).mT, atol=2e-6)
    assert torch.equal(still.present, seen.present.flip(1))


def test_mirroring_twice_is_nothing(records, hand_model):
    twice = mirror_hands(mirror_hands(records.hands))
    for name in ("present", "T_object_hand", "pose", "shape"):
        assert torch.equal(getattr(twice, name), getattr(records.hands, name))
    joints = hand_model.joints(records.hands)
    seen = hand_model.joints(mirror_hands(records.hands))
    assert torch.allclose(seen, (joints * MIRROR).flip(1), atol=1e-6)


def test_mirroring_commutes_with_building_the_fields(builder):
    """A mirror in x = 0 of the grid: fields flip along x and the hands' channels swap."""
    rows = torch.arange(12)
    plain = builder.moved(rows, replace(no_motion(12)))
    mirror = replace(no_motion(12), mirrored=torch.ones(12, dtype=torch.bool))
    seen = builder.moved(rows, mirror)
    assert torch.allclose(seen.sdf, plain.sdf.flip(2), atol=1e-5)
    fields = hand_field(plain.joints, SPEC, present=plain.present)
    mirrored_fields = hand_field(seen.joints, SPEC, present=seen.present)
    assert torch.allclose(mirrored_fields, fields.flip(1).flip(3), atol=1e-5)


def test_the_sdf_is_the_one_that_joints_and_frame_say(builder):
    """A lattice point's distance is that of the same point in the object's own frame."""
    scenes = builder.moved(torch.arange(6), motion(6, mirrored=True, seed=1))
    axis = SPEC.first_stage_axis() * SPEC.unit
    i, j, k = 20, 33, 40
    point = torch.stack([axis[i], axis[j], axis[k]]).expand(6, 1, 3)
    index = builder.objects.index_of([builder.records.object[r] for r in range(6)])
    there = transform_points(scenes.T_object_frame, point)
    truth = builder.objects.distance(index, builder.records.joint_value[:6], there)
    assert torch.allclose(scenes.sdf[:, 0, i, j, k], truth[:, 0].clamp(-0.04, 0.04), atol=1e-5)


def test_the_object_sits_in_the_middle_of_the_grid(builder):
    scenes = builder.scenes(torch.arange(3))
    axis = SPEC.first_stage_axis() * SPEC.unit
    for sdf in scenes.sdf[:, 0]:
        inside = (sdf < 0.01).nonzero()
        middle = axis[(inside.amin(0) + inside.amax(0)) // 2]
        assert middle.abs().max() < 0.012


def test_yaw_keeps_up_up(records, objects, hand_model):
    options = AugmentOptions(rotation="yaw", shift=0.0, mirror=False)
    drawn = draw_motion(50, options, torch.Generator().manual_seed(0))
    assert torch.allclose(drawn.R[:, 2], torch.tensor([0.0, 0.0, 1.0]).expand(50, 3), atol=1e-6)
    assert drawn.R[:, 0, 0].std() > 0.5


def test_the_same_seed_gives_the_same_scenes(builder):
    first, second = (
        builder.scenes(torch.arange(4), generator=torch.Generator().manual_seed(7))
        for _ in range(2)
    )
    assert torch.equal(first.sdf, second.sdf)
    assert torch.equal(first.joints, second.joints)


def test_still_rows_are_mirrored_at_most_and_the_others_move_as_before(builder):
    row, seed = torch.arange(4), 7
    still = torch.tensor([True, False, True, False])
    moved = builder.scenes(row, generator=torch.Generator().manual_seed(seed))
    some = builder.scenes(row, generator=torch.Generator().manual_seed(seed), still=still)
    assert torch.equal(some.sdf[~still], moved.sdf[~still])
    drawn = draw_motion(4, builder.augment, torch.Generator().manual_seed(seed))
    mirrored = replace(no_motion(4), mirrored=drawn.mirrored)
    assert torch.equal(some.sdf[still], builder.moved(row, mirrored).sdf[still])


def test_the_released_frame(records, objects, hand_model):
    """Right wrist axes about a point 8 cm to the palm side of the right index base."""
    still = AugmentOptions(rotation="none", shift=0.0)
    builder = SceneBuilder(records, objects, hand_model, GridSpec(), augment=still)
    scenes = builder.scenes(torch.arange(12), generator=torch.Generator().manual_seed(1))
    R = scenes.hands.T_object_hand[:, 1, :3, :3]
    assert torch.allclose(R, torch.eye(3).expand(12, 3, 3), atol=1e-5)
    base = scenes.joints[:, 1, 5]
    assert torch.allclose(base, torch.tensor([0.0, 0.08, 0.0]).expand(12, 3), atol=1e-5)
    # A scene with one hand always has it on the right, mirrored if need be.
    assert bool(scenes.present[:, 1].all())
    assert torch.allclose(
        to_surface(builder, scenes).unflatten(1, (2, 21)).sort(1).values,
        to_surface(builder, builder.scenes(torch.arange(12))).unflatten(1, (2, 21)).sort(1).values,
        atol=3e-6,
    )


def test_the_released_frame_does_not_turn(records, objects, hand_model):
    with pytest.raises(OptionError, match="use rotation 'none'"):
        SceneBuilder(records, objects, hand_model, GridSpec())


def test_options_and_missing_objects_are_refused(records, objects, hand_model):
    with pytest.raises(OptionError, match="use one of none, yaw, any"):
        AugmentOptions(rotation="roll")
    unknown = replace(records, object=("cup",) * len(records))
    with pytest.raises(DataError, match="'cup'"):
        SceneBuilder(unknown, objects, hand_model, SPEC)
