"""An object that fits two hands exactly: a small ball under the middle of each finger pad."""

import numpy as np
import torch

from bghop.geometry.mesh import Mesh
from bghop.geometry.shapes import sphere
from bghop.geometry.transforms import rigid
from bghop.hands.model import HandParameters

RADIUS = 0.008


def pads(model, hands):
    """Middle of each finger pad of the first row, in the object's frame: hand finger xyz."""
    rest = model.vertices_rest[1]
    middle = torch.stack(
        [pad[(rest[pad] - rest[pad].mean(0)).norm(dim=-1).argmin()] for pad in model.regions.pads]
    )
    skin, _ = model.skin(hands.to(dtype=torch.float32), vertices=middle)
    return skin[0]


def knobs(model, hands):
    """The mesh; balls lie on the side of the object's origin."""
    points = pads(model, hands).flatten(0, 1).double().numpy()
    away = points / np.linalg.norm(points, axis=-1, keepdims=True)
    balls = []
    for centre in points - RADIUS * away:
        T = np.eye(4)
        T[:3, 3] = centre
        balls.append(sphere(RADIUS).transformed(T))
    return Mesh.concatenated(balls, name="knobs")


def grasp(model, num, seed=0):
    """One pair of hands with bent fingers either side of the origin, `num` times, some mm apart."""
    generator = torch.Generator().manual_seed(seed)
    angles = torch.zeros(2, 15, 3)
    angles[..., 0] = 0.35
    pose = model.pose_from_angles(angles)
    R = torch.stack([torch.eye(3), torch.eye(3)])
    R[1] = torch.tensor([[1.0, 0, 0], [0, 0.96, -0.28], [0, 0.28, 0.96]])  # no mirror image
    t = torch.tensor([[-0.12, 0.05, 0.01], [0.13, 0.06, -0.02]])
    T = rigid(R, t).expand(num, 2, 4, 4).clone()
    T[1:, :, :3, 3] += 0.0005 * torch.randn(num - 1, 2, 3, generator=generator)
    return HandParameters(
        present=torch.ones(num, 2, dtype=torch.bool),
        T_object_hand=T,
        pose=pose.expand(num, 2, 15, 3).clone(),
        shape=torch.zeros(num, 2, model.num_shape),
    )
