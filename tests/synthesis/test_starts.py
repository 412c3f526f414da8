"""Start poses: where hands begin, and which pairs of hands belong together."""

import numpy as np
import pytest
import torch

from bghop.geometry.mesh import Mesh
from bghop.geometry.sdf import SdfGrid, sdf_from_mesh
from bghop.geometry.shapes import box, cylinder
from bghop.hands.model import HandModel
from bghop.synthesis.preshapes import PRESHAPES, pose_preshapes, preshape_angles
from bghop.synthesis.starts import Pool, choose_pairs, pair_costs, single_starts
from bghop.synthesis.surface import sample_surface

UP = torch.tensor([0.0, 0.0, 1.0])


def pool_on(mesh: Mesh, sdf: SdfGrid, hand_model: HandModel, *, num: int = 200) -> Pool:
    samples = sample_surface(mesh, sdf, 800, np.random.default_rng(0))
    return single_starts(
        hand_model, sdf, samples, num=num, generator=torch.Generator().manual_seed(0)
    )


@pytest.fixture(scope="module")
def pool(box_mesh: Mesh, box_sdf: SdfGrid, hand_model: HandModel) -> Pool:
    return pool_on(box_mesh, box_sdf, hand_model)


def test_samples_lie_on_the_surface_and_know_the_thickness(box_mesh: Mesh, box_sdf: SdfGrid):
    samples = sample_surface(box_mesh, box_sdf, 500, np.random.default_rng(1))
    half = torch.tensor(box_mesh.extents / 2, dtype=torch.float32)
    assert (samples.points.abs() - half).amax(-1).abs().max() < 1e-5
    # Through the box along y it is 10 cm, more than the 8 cm that are followed; nowhere thinner.
    assert samples.thickness.min() > 0.075


def test_thickness_of_a_plate_is_its_height():
    plate = cylinder(0.1, 0.02)
    sdf = sdf_from_mesh(plate, resolution=96)
    samples = sample_surface(plate, sdf, 500, np.random.default_rng(1))
    flat = (samples.normals[:, 2].abs() > 0.99) & (samples.points[:, :2].norm(dim=-1) < 0.08)
    torch.testing.assert_close(
        samples.thickness[flat], torch.full((int(flat.sum()),), 0.02), atol=0.003, rtol=0
    )


def test_preshapes_lie_inside_the_limits(hand_model: HandModel):
    limits = hand_model.anatomy.limits
    for preshape in PRESHAPES:
        angles = preshape_angles(hand_model, preshape)
        assert (angles >= limits[..., 0]).all()
        assert (angles <= limits[..., 1]).all()


def test_preshapes_of_the_left_hand_mirror_those_of_the_right(hand_model: HandModel):
    shapes = pose_preshapes(hand_model)
    mirror = torch.tensor([-1.0, 1.0, 1.0])
    for directions in (shapes.anchor_hand, shapes.approach_hand, shapes.second_hand):
        torch.testing.assert_close(directions[0], directions[1] * mirror, atol=1e-5, rtol=0)


def test_hands_stop_where_they_touch(pool: Pool, box_sdf: SdfGrid):
    gap = (box_sdf.distance(pool.spheres) - pool.radii[:, None]).amin(-1)
    free = pool.cost < 5  # others began inside or have the forearm in the object
    assert free.float().mean() > 0.5
    assert gap[free].min() > -0.005


def test_good_starts_are_near_the_surface(pool: Pool, box_sdf: SdfGrid):
    best = pool.cost.topk(20, largest=False).indices
    contact = torch.stack([pool.contact[side, best[side]] for side in range(2)])
    assert box_sdf.distance(contact).abs().max() < 0.03


def test_palms_look_at_the_object(pool: Pool, box_sdf: SdfGrid, hand_model: HandModel):
    palm = torch.tensor([i for i, p in enumerate(PRESHAPES) if p.kind == "palm"])
    is_palm = torch.isin(pool.preshape, palm)
    normals = box_sdf.distance_and_normal(pool.T_object_hand[..., :3, 3])[1]
    out_of_palm = -pool.T_object_hand[..., :3, 1]
    facing = (out_of_palm * normals).sum(-1)[is_palm & (pool.cost < 3)]
    assert facing.mean() < -0.8


def test_pushing_against_each_other_is_better_than_from_one_side(pool: Pool):
    cost = pair_costs(pool, centre=torch.zeros(3), size=0.13, up=None)
    cost = cost - pool.cost[0][:, None] - pool.cost[1][None]
    together = pool.push[0] @ pool.push[1].T
    strong = (pool.push[0].norm(dim=-1) > 0.8)[:, None] & (pool.push[1].norm(dim=-1) > 0.8)[None]
    opposite, same = cost[strong & (together < -0.8)], cost[strong & (together > 0.8)]
    assert opposite.median() < same.median() - 1


def test_swapped_hands_are_unnatural(hand_model: HandModel, box_mesh: Mesh, box_sdf: SdfGrid):
    """A body in front of the box: left hand on its left side is fine, crossed arms are not."""
    eye = torch.eye(3)
    # Fingers forward (+y), palms inward, thumbs up; left hand: fingers are +x of its frame.
    left = torch.stack([eye[1], -eye[0], eye[2]], dim=1)  # palm (-y of the frame) towards +x
    right = torch.stack([-eye[1], eye[0], eye[2]], dim=1)

    def cost_of(x_left: float, x_right: float) -> float:
        T = torch.eye(4).repeat(2, 1, 1, 1)
        T[0, 0, :3, :3], T[1, 0, :3, :3] = left, right
        T[0, 0, :3, 3], T[1, 0, :3, 3] = x_left * eye[0], x_right * eye[0]
        pool = Pool(
            T_object_hand=T, preshape=torch.zeros(2, 1, dtype=torch.long),
            contact=T[..., :3, 3], push=torch.zeros(2, 1, 3), cost=torch.zeros(2, 1),
            spheres=torch.zeros(2, 1, 1, 3), radii=torch.zeros(2, 1),
        )  # fmt: skip
        return float(pair_costs(pool, centre=torch.zeros(3), size=0.1, up=UP))

    assert cost_of(-0.15, 0.15) < 0.2
    assert cost_of(0.15, -0.15) > 2


def test_chosen_pairs_differ_and_do_not_collide(hand_model: HandModel, pool: Pool):
    cost = pair_costs(pool, centre=torch.zeros(3), size=0.13, up=UP)
    starts = choose_pairs(hand_model, pool, cost, num=12)
    T = starts.hands.T_object_hand
    assert T.shape == (12, 2, 4, 4)
    wrists = T[..., :3, 3].flatten(1)
    gaps = torch.cdist(wrists, wrists) + 0.5 * torch.cdist(
        T[..., :3, :3].flatten(1), T[..., :3, :3].flatten(1)
    )
    assert (gaps + torch.eye(12)).min() > 0.02
    assert (wrists[:, :3] - wrists[:, 3:]).norm(dim=-1).min() > 0.05


def test_the_seed_decides(box_mesh: Mesh, box_sdf: SdfGrid, hand_model: HandModel, pool: Pool):
    again = pool_on(box_mesh, box_sdf, hand_model)
    torch.testing.assert_close(again.T_object_hand, pool.T_object_hand, rtol=0, atol=0)


@pytest.mark.parametrize("size", [0.06, 0.45])
def test_small_and_large_boxes_get_starts(size: float, hand_model: HandModel):
    mesh = box((size, 0.7 * size, 0.6 * size))
    pool = pool_on(mesh, sdf_from_mesh(mesh, resolution=48), hand_model)
    assert (pool.cost < 3).sum() > 20
