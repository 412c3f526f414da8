"""Directions of the hand in its wrist frame, the same for every hand model (see `hands.model`)."""

import torch

FINGERS_HAND = torch.tensor([[1.0, 0.0, 0.0], [-1.0, 0.0, 0.0]])
"""Where straight fingers point, `hand=2 3`: the left hand is the mirror of the right."""
PALM_HAND = torch.tensor([[0.0, -1.0, 0.0], [0.0, -1.0, 0.0]])
"""Out of the palm, `hand=2 3`."""
