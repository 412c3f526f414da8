"""Objects alone, each as large as a grid allows: shape and size apart.

In one grid for everything that two hands can hold, a mug is ten samples wide and its wall thinner
than one. Shown at one size, every object has all of the grid.
"""

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from bghop.data.objects import ObjectStore


def normalised_distances(
    objects: ObjectStore,
    index: Int64[Tensor, "b"],
    joint_value: Float[Tensor, "b"],
    axis: Float[Tensor, "n"],
    *,
    fill: float,
    truncation: float,
) -> tuple[Float[Tensor, "b 1 n n n"], Float[Tensor, "b"]]:
    """Distances of objects, scaled about the middle of their box, and their true sizes.

    Args:
        objects: where they are.
        index: which.
        joint_value: radians or metres.
        axis: of the lattice, metres; the same along x, y and z.
        fill: longest side that every object is given, metres.
        truncation: largest distance that is told, scaled metres.

    Returns:
        Scaled metres; longest sides of the objects as they are, metres.
    """
    still = torch.eye(4).repeat(len(index), 1, 1)
    corners = objects.box(index, joint_value, still)
    T_object_frame = still.clone()
    T_object_frame[:, :3, 3] = corners.mean(1)
    sizes = (corners[:, 1] - corners[:, 0]).amax(-1)
    grids = []
    for i, shrink in enumerate((sizes / fill).tolist()):
        row = slice(i, i + 1)
        # The store's reach ends before the truncation of objects over 1.25 times `fill`, whose
        # farther distances are told too short.
        near = min(truncation * shrink, objects.reach)
        found = objects.lattice_distance(
            index[row], joint_value[row], T_object_frame[row],
            (axis * shrink).expand(3, -1).contiguous(), truncation=near,
        )  # fmt: skip
        grids.append(found / shrink)
    return torch.stack(grids), sizes
