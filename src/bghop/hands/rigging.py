"""From arrays of a right hand (and, where it differs, a left one) to a complete `HandModel`.

Both sources, the open hand and MANO, end here, so that anatomy, regions and capsules are measured
in the same way on either.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float, Int64

from bghop.geometry.transforms import mirror_rotvec
from bghop.hands import anatomy, regions
from bghop.hands.capsules import Bar, fit_capsules
from bghop.hands.joints import BONE_JOINTS, TIP_JOINTS
from bghop.hands.model import Anatomy, Capsules, ContactRegions, HandModel
from bghop.hands.skinning import Skin


@dataclass(frozen=True, kw_only=True, eq=False)
class HandArrays:
    """One hand in its wrist frame, float64; joints in the order of `hands/joints.py`."""

    vertices: Float[np.ndarray, "vert 3"]
    joints: Float[np.ndarray, "21 3"]
    vertex_directions: Float[np.ndarray, "shape vert 3"]
    joint_directions: Float[np.ndarray, "shape 21 3"]
    weights: Float[np.ndarray, "vert 16"]
    tip_weights: Float[np.ndarray, "5 16"]
    faces: Int64[np.ndarray, "face 3"]
    pose_directions: Float[np.ndarray, "135 vert 3"] | None = None
    tip_pose_directions: Float[np.ndarray, "135 5 3"] | None = None

    def mirrored(self) -> "HandArrays":
        """The other hand: everything mirrored in `x = 0`, exactly."""
        if self.pose_directions is not None:
            raise NotImplementedError("pose correctives also depend on mirrored rotations")
        flip = np.array([-1.0, 1.0, 1.0])
        return replace(
            self,
            vertices=self.vertices * flip,
            joints=self.joints * flip,
            vertex_directions=self.vertex_directions * flip,
            joint_directions=self.joint_directions * flip,
            faces=np.ascontiguousarray(self.faces[:, [0, 2, 1]]),
        )


def build_hand_model(
    *,
    name: str,
    shape_names: tuple[str, ...],
    shape_limits: Float[np.ndarray, "shape 2"],
    left: HandArrays,
    right: HandArrays,
    mean_pose: Float[np.ndarray, "hand=2 15 3"] | None = None,
) -> HandModel:
    """Measure anatomy, regions and capsules, and put both sides on the hand axis; float32, CPU."""
    axes = anatomy.joint_axes(
        right.joints,
        anatomy.finger_bend_axes(right.joints, right.vertices, right.faces, right.weights),
    )
    limits = anatomy.joint_limits(anatomy.rest_flexion(right.joints, axes))
    axes_right = torch.from_numpy(axes).float()
    sides = (_facing_out(left), _facing_out(right))
    mean = np.zeros((2, 15, 3)) if mean_pose is None else mean_pose
    return HandModel(
        name=name,
        shape_names=shape_names,
        shape_limits=torch.from_numpy(shape_limits).float(),
        surface=_surface(sides),
        tips=_tips(sides),
        bone_joints=_stack([side.joints[list(BONE_JOINTS)] for side in sides]),
        bone_joint_directions=_stack(
            [side.joint_directions[:, list(BONE_JOINTS)] for side in sides]
        ),
        mean_pose=torch.from_numpy(mean).float(),
        faces=torch.from_numpy(np.stack([side.faces for side in sides])),
        closed_faces=torch.from_numpy(np.stack([regions.sealed(side.faces) for side in sides])),
        # The left axes are the mirror image, so that equal angles are mirrored poses.
        anatomy=Anatomy(
            axes=torch.stack([mirror_rotvec(axes_right), axes_right]),
            limits=torch.from_numpy(limits).float(),
        ),
        regions=_regions(right, axes),
        capsules=_capsules(right),
        template_wrist=torch.zeros(2, 3),
        template_wrist_directions=torch.zeros(2, len(shape_names), 3),
    )


def _facing_out(hand: HandArrays) -> HandArrays:
    """Triangles counter-clockwise seen from outside: the sealed volume is positive."""
    # The wrist is the origin and its opening is small about it: the seal adds next to nothing.
    a, b, c = hand.vertices[hand.faces].swapaxes(0, 1)
    if (a * np.cross(b, c)).sum() > 0:
        return hand
    return replace(hand, faces=np.ascontiguousarray(hand.faces[:, [0, 2, 1]]))


def _stack(arrays: list[np.ndarray]) -> torch.Tensor:
    return torch.from_numpy(np.stack(arrays)).float()


def _surface(sides: tuple[HandArrays, HandArrays]) -> Skin:
    pose = [side.pose_directions for side in sides if side.pose_directions is not None]
    return Skin(
        template=_stack([side.vertices for side in sides]),
        shape_directions=_stack([side.vertex_directions for side in sides]),
        pose_directions=_stack(pose) if pose else None,
        weights=_stack([side.weights for side in sides]),
    )


def _tips(sides: tuple[HandArrays, HandArrays]) -> Skin:
    index = list(TIP_JOINTS)
    pose = [side.tip_pose_directions for side in sides if side.tip_pose_directions is not None]
    return Skin(
        template=_stack([side.joints[index] for side in sides]),
        shape_directions=_stack([side.joint_directions[:, index] for side in sides]),
        pose_directions=_stack(pose) if pose else None,
        weights=_stack([side.tip_weights for side in sides]),
    )


def _regions(right: HandArrays, axes: Float[np.ndarray, "15 3 3"]) -> ContactRegions:
    skin = (right.vertices, right.faces, right.weights)
    return ContactRegions(
        pads=tuple(torch.from_numpy(pad) for pad in regions.pads(*skin, axes)),
        palm=torch.from_numpy(regions.palm(right.joints, *skin)),
    )


def _capsules(right: HandArrays) -> Capsules:
    """Fitted on the right hand; the left ones are their mirror image."""
    bones, bars = fit_capsules(right.joints, right.vertices, right.faces, right.weights)
    origin = right.joints[list(BONE_JOINTS)][bones]

    def both(points: np.ndarray) -> torch.Tensor:
        right_points = torch.from_numpy(points - origin).float()
        return torch.stack([right_points * right_points.new_tensor([-1.0, 1.0, 1.0]), right_points])

    radius = torch.tensor([bar.radius for bar in bars], dtype=torch.float32)
    return Capsules(
        bone=torch.tensor(bones),
        start=both(_ends(bars, "start")),
        end=both(_ends(bars, "end")),
        radius=torch.stack([radius, radius]),
    )


def _ends(bars: list[Bar], which: str) -> np.ndarray:
    return np.stack([getattr(bar, which) for bar in bars])
