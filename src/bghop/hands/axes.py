"""Directions of the hand in its wrist frame, the same for every hand model (see `hands.model`)."""

import torch
from jaxtyping import Float
from torch import Tensor

FINGERS_HAND = torch.tensor([[1.0, 0.0, 0.0], [-1.0, 0.0, 0.0]])
"""Where straight fingers point, `hand=2 3`: the left hand is the mirror of the right."""
PALM_HAND = torch.tensor([[0.0, -1.0, 0.0], [0.0, -1.0, 0.0]])
"""Out of the palm, `hand=2 3`."""


def forearm_directions(
    R_frame_hand: Float[Tensor, "*batch hand=2 3 3"],
) -> Float[Tensor, "*batch hand=2 3"]:
    """From wrists to elbows of straight wrists, unit vectors in the frame."""
    return -(R_frame_hand @ FINGERS_HAND.to(R_frame_hand)[..., None]).squeeze(-1)
