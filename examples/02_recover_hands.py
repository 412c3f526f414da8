"""Hands to an interaction grid and back: what the prior's channels hold, and how exactly."""

import torch

import bghop
from bghop.geometry.transforms import rigid

hands = bghop.load_open_hand()
generator = torch.Generator().manual_seed(0)
rest = hands.rest_parameters(8)
spread = torch.tensor([[0.10, 0.0, 0.0], [-0.10, 0.0, 0.0]]).expand(8, 2, 3)
true = bghop.HandParameters(
    present=rest.present,
    T_object_hand=rigid(torch.eye(3).expand(8, 2, 3, 3), -spread),
    pose=hands.random_poses(8, generator=generator),
    shape=rest.shape,
)
joints = hands.joints(true)

# A grid about the object's box; both hands are inside with room to spare.
spec = bghop.GridSpec.object_centred(torch.full((3,), -0.1), torch.full((3,), 0.1))
field = bghop.hand_field(joints, spec)
for sigma in (0.0, 0.01):
    noisy = field + sigma * torch.randn(field.shape, generator=generator)
    found = bghop.recover_hands(noisy, spec, hands)
    error_mm = 1000 * (found.joints_frame - joints).norm(dim=-1)
    print(f"noise {sigma}: mean joint error {error_mm.mean():.4f} mm, worst {error_mm.max():.4f}")
