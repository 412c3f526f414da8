"""Trilinear lookup of value and slope in one pass; the slope is the gradient for autograd."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor


def pack_corners(values: Float[Tensor, "nx ny nz"]) -> Float[Tensor, "cell 8"]:
    """The eight corners of every cell side by side, so that one lookup reads one row.

    Corner order is (x, y, z) with z fastest. Eight times the memory, a third of the time.
    """
    slices = (slice(None, -1), slice(1, None))
    corners = [values[x, y, z] for x in slices for y in slices for z in slices]
    return torch.stack(corners, dim=-1).flatten(0, 2)


class TrilinearLookup(torch.autograd.Function):
    """`(distance, gradient)` at points; backward multiplies with the stored gradient.

    Outside the box the distance is that to the surface point which the border sees: with `q` the
    nearest point of the box and `n` the slope there, `c = q - d(q) n` and the value is `|p - c|`.
    """

    @staticmethod
    def forward(
        ctx: Any,
        points: Float[Tensor, "n 3"],
        packed: Float[Tensor, "cell 8"],
        origin: Float[Tensor, "3"],
        spacing: float,
        shape: tuple[int, int, int],
    ) -> tuple[Float[Tensor, "n"], Float[Tensor, "n 3"]]:
        """Look up; only `points` may need gradients."""
        # One row for each coordinate and corner: everything runs along contiguous memory.
        place = torch.stack(((points - origin) / spacing).unbind(-1))
        last = place.new_tensor([size - 1 for size in shape])[:, None]
        clamped = torch.minimum(place.clamp_min(0), last)
        cell = torch.minimum(clamped.floor(), last - 1)
        i, j, k = cell.long()
        corners = packed.index_select(0, (i * (shape[1] - 1) + j) * (shape[2] - 1) + k)
        distance, gradient = _interpolate(torch.stack(corners.unbind(-1)), clamped - cell)
        gradient /= spacing
        away = place - clamped
        outside = away.abs().amax(0).nonzero().squeeze(1)
        if len(outside):
            away = away.index_select(1, outside) * spacing
            value = distance.index_select(0, outside)
            slope = gradient.index_select(1, outside)
            unit = slope / _length(slope).clamp_min(1e-12)
            from_surface = away + value.clamp_min(0) * unit
            length = _length(from_surface)
            # A surface cut by the box (value < 0 at the border) adds the way to the box.
            distance.index_copy_(0, outside, length + value.clamp_max(0))
            gradient.index_copy_(1, outside, from_surface / length.clamp_min(1e-9))
        gradient = torch.stack(gradient.unbind(0), dim=-1)
        ctx.save_for_backward(gradient)
        ctx.mark_non_differentiable(gradient)
        return distance, gradient

    @staticmethod
    def backward(  # type: ignore[override]
        ctx: Any, grad_distance: Tensor, _grad_gradient: Tensor | None
    ) -> tuple[Tensor, None, None, None, None]:
        """The chain rule with the gradient of the forward pass."""
        (gradient,) = ctx.saved_tensors
        return grad_distance[:, None] * gradient, None, None, None, None


def _interpolate(
    corners: Float[Tensor, "8 n"], fraction: Float[Tensor, "3 n"]
) -> tuple[Float[Tensor, "n"], Float[Tensor, "3 n"]]:
    """Value, and derivatives by x, y, z in units of a cell."""
    x, y, z = fraction
    step_x = corners[4:] - corners[:4]
    at_x = corners[:4] + x * step_x
    step_y = at_x[2:] - at_x[:2]
    at_y = at_x[:2] + y * step_y
    slope_z = at_y[1] - at_y[0]
    value = at_y[0] + z * slope_z
    slope_y = step_y[0] + z * (step_y[1] - step_y[0])
    mixed = step_x[:2] + y * (step_x[2:] - step_x[:2])
    slope_x = mixed[0] + z * (mixed[1] - mixed[0])
    return value, torch.stack([slope_x, slope_y, slope_z])


def _length(vectors: Float[Tensor, "3 n"]) -> Float[Tensor, "n"]:
    """Torch's own norm is many times slower along the first axis (docs/decisions.md)."""
    return vectors.square().sum(0).sqrt()
