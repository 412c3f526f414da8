"""What the object is like where hands are: distance and direction of its surface."""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional


def distance_at(
    distances: Float[Tensor, "b 1 n n n"],
    points: Float[Tensor, "b hand=2 joint 3"],
    *,
    half_extent: float,
) -> tuple[Float[Tensor, "b hand=2 joint 1"], Float[Tensor, "b hand=2 joint 3"]]:
    """Distance to the surface and its gradient, each row in its own grid.

    Trilinear; gradients by central differences a sample wide. Points beyond the grid get what is at
    its border.

    Args:
        distances: of each row's object, metres; samples at the corners of the cube, too.
        points: metres from the middle of the grid.
        half_extent: metres from the middle to the outermost samples.
    """
    step = 2 * half_extent / (distances.shape[-1] - 1)
    offsets = step * torch.eye(3).to(points)
    around = torch.cat([torch.zeros(1, 3).to(points), offsets, -offsets])
    places = (points[..., None, :] + around).flatten(2, 3).flip(-1) / half_extent  # z, y, x
    found = functional.grid_sample(
        distances.to(points), places[:, :, :, None], padding_mode="border", align_corners=True
    )
    here, after, before = found.reshape(*points.shape[:3], 7).split([1, 3, 3], dim=-1)
    return here, (after - before) / (2 * step)
