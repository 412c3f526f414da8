import numpy as np
import pytest
import torch

from bghop.errors import HandModelError
from bghop.hands.joints import BONE_JOINTS, BONES_FROM_MANO, BONES_TO_MANO, TIP_JOINTS
from bghop.hands.mano import (
    TIP_VERTICES,
    TIP_VERTICES_SMPLX,
    load_mano,
    mano_translation,
    wrist_pose_from_mano,
)
from bghop.hands.model import HandParameters
from fabricated_mano import forward, mano_arrays, write_mano

SETTINGS = {"flat_hand_mean": True, "fix_left_shapedirs": False}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("mano")
    for side in ("left", "right"):
        write_mano(place / f"MANO_{side.upper()}.pkl", mano_arrays(side))
    return place


def parameters_of(model, *, mano_pose, orient, transl, shape):
    """MANO's own parameters (float64, batch n 2) as ours."""
    pose = mano_pose.unflatten(-1, (15, 3))
    pose = torch.cat([torch.zeros_like(pose[..., :1, :]), pose], -2)[..., BONES_FROM_MANO, :]
    return HandParameters(
        present=torch.ones(orient.shape[:-1], dtype=torch.bool),
        T_object_hand=wrist_pose_from_mano(model, global_orient=orient, transl=transl, shape=shape),
        pose=pose[..., 1:, :],
        shape=shape,
    )


@pytest.mark.parametrize("flat", [True, False])
@pytest.mark.parametrize("fix", [True, False])
def test_forward_is_the_mano_equations(folder, flat, fix):
    model = load_mano(folder, flat_hand_mean=flat, fix_left_shapedirs=fix, dtype=torch.float64)
    generator = torch.Generator().manual_seed(0)
    draw = lambda *s: torch.randn(3, 2, *s, generator=generator, dtype=torch.float64)  # noqa: E731
    values = {"mano_pose": 0.4 * draw(45), "orient": draw(3), "transl": draw(3), "shape": draw(10)}
    posed = model.pose_hands(parameters_of(model, **values))
    for row in range(3):
        for side, name in enumerate(("left", "right")):
            arrays = mano_arrays(name)
            if fix and name == "left":
                arrays["shapedirs"] = arrays["shapedirs"] * np.array([-1, 1, 1])[:, None]
            pose = values["mano_pose"][row, side].numpy() + (0 if flat else arrays["hands_mean"])
            vertices, joints = forward(
                arrays, pose=pose, shape=values["shape"][row, side].numpy(),
                orient=values["orient"][row, side].numpy(),
                transl=values["transl"][row, side].numpy(),
            )  # fmt: skip
            ours = posed.joints_object[row, side].numpy()
            # The stored arrays are float32.
            np.testing.assert_allclose(posed.vertices_object[row, side], vertices, atol=2e-6)
            np.testing.assert_allclose(
                ours[list(BONE_JOINTS)][list(BONES_TO_MANO)], joints, atol=2e-6
            )
            np.testing.assert_allclose(
                ours[list(TIP_JOINTS)], vertices[list(TIP_VERTICES)], atol=2e-6
            )


def test_wrist_is_the_origin_for_every_shape(folder):
    model = load_mano(folder, **SETTINGS)
    rest = model.rest_parameters(2)
    hands = HandParameters(
        present=rest.present, T_object_hand=rest.T_object_hand, pose=rest.pose,
        shape=torch.randn(2, 2, 10),
    )  # fmt: skip
    torch.testing.assert_close(model.joints(hands)[..., 0, :], torch.zeros(2, 2, 3))


def test_translation_conventions_are_inverse(folder):
    model = load_mano(folder, **SETTINGS)
    orient, transl, shape = torch.randn(4, 2, 3), torch.randn(4, 2, 3), torch.randn(4, 2, 10)
    T = wrist_pose_from_mano(model, global_orient=orient, transl=transl, shape=shape)
    torch.testing.assert_close(mano_translation(model, T_object_hand=T, shape=shape), transl)


def test_left_shape_correction_negates_x_of_the_left_hand_only(folder):
    plain = load_mano(folder, **SETTINGS).surface.shape_directions
    fixed = load_mano(folder, flat_hand_mean=True, fix_left_shapedirs=True).surface.shape_directions
    torch.testing.assert_close(fixed[1], plain[1])
    torch.testing.assert_close(fixed[0], plain[0] * torch.tensor([-1.0, 1.0, 1.0]))


def test_a_corrected_file_is_not_corrected_again(tmp_path):
    left = mano_arrays("left")
    left["shapedirs"] = left["shapedirs"] * np.array([-1, 1, 1])[:, None]
    write_mano(tmp_path / "MANO_LEFT.pkl", left)
    write_mano(tmp_path / "MANO_RIGHT.pkl", mano_arrays("right"))
    with pytest.raises(HandModelError, match="fix_left_shapedirs=False"):
        load_mano(tmp_path, flat_hand_mean=True, fix_left_shapedirs=True)


def test_tip_vertices_are_a_setting(folder):
    one = load_mano(folder, **SETTINGS)
    other = load_mano(folder, **SETTINGS, tip_vertices=TIP_VERTICES_SMPLX)
    tips = list(TIP_JOINTS)
    torch.testing.assert_close(one.joints_rest[:, tips], one.vertices_rest[:, list(TIP_VERTICES)])
    torch.testing.assert_close(
        other.joints_rest[:, tips], other.vertices_rest[:, list(TIP_VERTICES_SMPLX)]
    )
    with pytest.raises(HandModelError, match="five vertex numbers"):
        load_mano(folder, **SETTINGS, tip_vertices=(1, 2, 3, 4, 778))


def test_both_ways_of_writing_byte_strings_are_read(folder, tmp_path):
    paths = tmp_path / "left.pkl", tmp_path / "right.pkl"
    for path, side in zip(paths, ("left", "right"), strict=True):
        write_mano(path, mano_arrays(side), python2=False)
    a, b = load_mano(paths, **SETTINGS), load_mano(folder, **SETTINGS)
    assert torch.equal(a.vertices_rest, b.vertices_rest)
    assert torch.equal(a.surface.shape_directions, b.surface.shape_directions)
    assert torch.equal(a.skinning_weights, b.skinning_weights)


def test_angles_zero_is_the_template_whatever_the_mean(folder):
    model = load_mano(folder, flat_hand_mean=False, fix_left_shapedirs=False)
    assert model.mean_pose.abs().max() > 0.1
    pose = model.pose_from_angles(torch.zeros(2, 15, 3))
    torch.testing.assert_close(pose, -model.mean_pose)
    torch.testing.assert_close(
        model.angles_from_pose(pose), torch.zeros(2, 15, 3), atol=1e-6, rtol=0
    )


def spoil(arrays, key, value):
    return {**arrays, key: value}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a: spoil(a, "v_template", a["v_template"][:-1]), r"v_template.*\(777, 3\)"),
        (lambda a: spoil(a, "weights", np.full((778, 16), np.nan)), "weights.*NaN"),
        (lambda a: spoil(a, "posedirs", "text"), "posedirs.*no array"),
        (lambda a: {k: v for k, v in a.items() if k != "hands_mean"}, "has no 'hands_mean'"),
        (lambda a: spoil(a, "f", a["f"] + np.uint32(5)), "faces"),
        (lambda a: spoil(a, "kintree_table", a["kintree_table"] * 0), "bones"),
    ],
)
def test_wrong_content_is_named(folder, tmp_path, change, message):
    path = tmp_path / "MANO_RIGHT.pkl"
    write_mano(path, change(mano_arrays("right")))
    with pytest.raises(HandModelError, match=message) as caught:
        load_mano((folder / "MANO_LEFT.pkl", path), **SETTINGS)
    assert "\n" not in str(caught.value)


def test_missing_folder_says_where_to_get_the_files(tmp_path):
    with pytest.raises(HandModelError, match=r"mano.is.tue.mpg.de.*open hand"):
        load_mano(tmp_path, **SETTINGS)
    with pytest.raises(HandModelError, match="cannot read"):
        load_mano((tmp_path / "a.pkl", tmp_path / "b.pkl"), **SETTINGS)
