import dataclasses

import numpy as np
import pytest
import torch

from bghop.errors import OptionError
from bghop.fields.grid_spec import GridSpec
from bghop.geometry.transforms import transform_points


def test_released_axis_is_the_block_mean_of_the_64_grid():
    spec = GridSpec()
    fine = np.linspace(-1.5, 1.5, 64)
    assert np.allclose(spec.first_stage_axis(dtype=torch.float64).numpy(), fine, atol=1e-15)
    assert np.allclose(spec.axis(dtype=torch.float64).numpy(), fine.reshape(16, 4).mean(1))
    assert spec.axis()[-1].item() == pytest.approx(1.428571, abs=1e-6)
    assert spec.spacing == pytest.approx(0.190476 * 0.2, abs=1e-6)
    assert spec.reach == pytest.approx(0.0693, abs=1e-4)


def test_without_reduction_the_cells_touch_the_corners():
    axis = GridSpec(reduction=1).axis()
    assert axis[0].item() == pytest.approx(-1.5)
    assert axis[-1].item() == pytest.approx(1.5)


def test_released_centre_is_eight_centimetres_to_the_palm_side_of_the_index_base():
    spec = GridSpec.released(torch.tensor([-0.09, 0.01, 0.02]))
    assert spec.frame == "right"
    point = torch.tensor([[-0.09, 0.01 - 0.08, 0.02], [-0.09, 0.01 - 0.08 + 0.2, 0.02]])
    assert torch.allclose(spec.to_grid(point), torch.tensor([[0.0, 0, 0], [0, 1, 0]]), atol=1e-6)


def test_similarity_and_to_grid_agree_and_invert():
    spec = GridSpec(centre=(0.1, -0.2, 0.3))
    points = torch.randn(5, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    S_grid_frame = spec.S_grid_frame(dtype=torch.float64)
    assert torch.allclose(transform_points(S_grid_frame, points), spec.to_grid(points))
    assert torch.allclose(spec.from_grid(spec.to_grid(points)), points)


@pytest.mark.parametrize("width", [0.06, 0.2, 0.45, 0.9])
def test_object_grid_holds_every_hand_that_touches_the_object(width):
    upper = torch.tensor([width, 0.05, 0.1])
    spec = GridSpec.object_centred(torch.zeros(3), upper)
    corners = torch.stack([torch.full((3,), -0.19), upper + 0.19])
    assert spec.to_grid(corners).abs().max() <= 1.0
    assert spec.frame == "object"
    assert spec.centre == pytest.approx((width / 2, 0.025, 0.05))
    # Around a joint there are at least as many free cells across as in the released grid.
    assert spec.reach / spec.spacing >= GridSpec().reach / GridSpec().spacing - 1e-9
    assert spec.reach >= GridSpec().reach - 1e-9


def test_a_finer_object_grid_keeps_the_reach_in_metres():
    box = torch.zeros(3), torch.full((3,), 0.2)
    fine = GridSpec.object_centred(*box, resolution=32)
    assert fine.reach == pytest.approx(GridSpec().reach)


@pytest.mark.parametrize(
    "wrong", [{"resolution": 3}, {"reduction": 0}, {"half_extent": 0.0}, {"unit": -1.0},
              {"truncation": 0.0}, {"half_extent": float("nan")}],
)  # fmt: skip
def test_impossible_grids_are_refused_in_one_line(wrong):
    with pytest.raises(OptionError, match=r"must be greater than zero|use a resolution") as caught:
        GridSpec(**wrong)
    assert "\n" not in str(caught.value)


def test_specs_are_plain_values():
    assert GridSpec() == GridSpec()
    with pytest.raises(dataclasses.FrozenInstanceError):
        GridSpec().unit = 1.0  # type: ignore[misc]
