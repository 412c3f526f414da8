"""`HandModel`: one interface to a pair of rigged hands. Sides are an axis `hand=2`: left, right.

Stages are values: parameters -> `pose_hands` -> `PosedHands`. A model is plain data (tensors) that
`hands/open_hand.py` or `hands/mano.py` fill; no method here knows which.

Wrist frame (`left`, `right`): origin at the wrist joint, axes those of the MANO templates, so that
both sources agree: for the right hand the fingers point along -x, the palm faces -y and the thumb
lies towards +z; the left hand is its mirror in `x = 0` (fingers along +x).
"""

from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, TypeVar

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from bghop.errors import HandModelError
from bghop.geometry.rotations import rotvec_from_matrix
from bghop.hands.joints import BONE_PARENTS
from bghop.hands.skinning import Bones, Skin, pose_bones, shaped, skin_points

_Value = TypeVar("_Value")


@dataclass(frozen=True, kw_only=True, eq=False)
class HandParameters:
    """Two hands (or one: see `present`) relative to an object; any leading batch."""

    present: Bool[Tensor, "*batch hand=2"]
    T_object_hand: Float[Tensor, "*batch hand=2 4 4"]
    """Wrist poses: `p_object = T_object_hand @ p_hand`, metres."""
    pose: Float[Tensor, "*batch hand=2 15 3"]
    """Rotation vectors of the 15 finger bones relative to their parents, axes of the rest frame."""
    shape: Float[Tensor, "*batch hand=2 shape"]
    """Shape parameters; names in `HandModel.shape_names`."""

    def rows(self, index: int | slice | Tensor) -> "HandParameters":
        """Entries along the first batch axis, by index, slice, mask or index tensor."""
        return HandParameters(
            present=self.present[index],
            T_object_hand=self.T_object_hand[index],
            pose=self.pose[index],
            shape=self.shape[index],
        )

    def to(
        self, device: torch.device | str | None = None, dtype: torch.dtype | None = None
    ) -> "HandParameters":
        """The same hands on another device or in another floating type."""
        return _moved(self, device, dtype)


@dataclass(frozen=True, kw_only=True, eq=False)
class PosedHands:
    """Where the skin and the joints are; same leading batch as the parameters."""

    vertices_object: Float[Tensor, "*batch hand=2 vert 3"]
    joints_object: Float[Tensor, "*batch hand=2 joint=21 3"]
    Ts_object_bone: Float[Tensor, "*batch hand=2 bone=16 4 4"]
    """Bone frames: origin at the bone's joint, axes of the rest frame turned with the bone."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Anatomy:
    """How each of the 15 finger bones may turn; equal angles on both sides are mirror images."""

    axes: Float[Tensor, "hand=2 15 3 3"]
    """Rows: unit bend, splay and twist axes in the rest frame; `angles = axes @ rotvec`.

    Orthonormal. The right twist axis points along the bone, and `bend x twist` out of the palmar
    side; the left axes are their mirror images as rotation axes (pseudo-vectors), so there both
    are reversed.
    """
    limits: Float[Tensor, "15 3 2"]
    """Lower and upper angle in radians for (bend, splay, twist); bend > 0 closes the hand."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ContactRegions:
    """Vertex sets that meant contact touches with; the same indices on both sides."""

    pads: tuple[Int[Tensor, "_"], ...]
    """Five sets: palmar skin of the last segment of thumb, index, middle, ring, little."""
    palm: Int[Tensor, "_"]
    """Palmar skin of the palm and the finger bases."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Capsules:
    """Round bars fitted inside the skin, each rigid on one bone, in the bone's rest frame."""

    bone: Int[Tensor, "capsule"]
    start: Float[Tensor, "hand=2 capsule 3"]
    """One end of the axis relative to the bone's joint, metres."""
    end: Float[Tensor, "hand=2 capsule 3"]
    radius: Float[Tensor, "hand=2 capsule"]


@dataclass(frozen=True, kw_only=True, eq=False)
class HandModel:
    """A pair of rigged hands: rest shape, skinning, anatomy, contact regions, capsules.

    Every method takes any leading batch and is differentiable. Hands that are absent
    (`HandParameters.present`) are posed like the others; who reads the result applies the mask.
    """

    name: str
    shape_names: tuple[str, ...]
    shape_limits: Float[Tensor, "shape 2"]
    """Meaningful range of each shape parameter; zero is the average adult."""
    surface: Skin
    """All vertices of both hands."""
    tips: Skin
    """The five fingertips, thumb to little finger."""
    bone_joints: Float[Tensor, "hand=2 bone=16 3"]
    """Rest joints of the bones in the wrist frame, average shape, metres; the wrist is zero."""
    bone_joint_directions: Float[Tensor, "hand=2 shape bone=16 3"]
    mean_pose: Float[Tensor, "hand=2 15 3"]
    """Added to every pose; zero unless the model's poses count from a mean (MANO, on request)."""
    faces: Int[Tensor, "hand=2 face 3"]
    """Triangles, counter-clockwise seen from outside; open at the wrist."""
    closed_faces: Int[Tensor, "hand=2 closed 3"]
    """The same with the wrist sealed: a closed surface over the same vertices."""
    anatomy: Anatomy
    regions: ContactRegions
    capsules: Capsules
    template_wrist: Float[Tensor, "hand=2 3"]
    """Where the source's own template frame has the wrist joint; zero for the open hand."""
    template_wrist_directions: Float[Tensor, "hand=2 shape 3"]

    @property
    def num_shape(self) -> int:
        """Number of shape parameters."""
        return len(self.shape_names)

    @property
    def num_vertices(self) -> int:
        """Number of vertices of one hand."""
        return self.surface.template.shape[1]

    @property
    def skinning_weights(self) -> Float[Tensor, "hand=2 vert bone=16"]:
        """How much each bone moves each vertex; rows sum to one."""
        return self.surface.weights

    @property
    def vertices_rest(self) -> Float[Tensor, "hand=2 vert 3"]:
        """Vertices of the average shape at rest in the wrist frames, metres."""
        return self.surface.template

    @property
    def joints_rest(self) -> Float[Tensor, "hand=2 joint=21 3"]:
        """The 21 joints of the average shape at rest in the wrist frames, metres."""
        return _with_tips(self.bone_joints, self.tips.template)

    @property
    def joint_shape_directions(self) -> Float[Tensor, "hand=2 shape joint=21 3"]:
        """Change of `joints_rest` per unit of each shape parameter."""
        return _with_tips(self.bone_joint_directions, self.tips.shape_directions)

    def rest_parameters(self, *batch: int) -> HandParameters:
        """Both hands present, at the object's origin, at rest, average shape; batch `batch`."""
        template = self.bone_joints
        eye = torch.eye(4, dtype=template.dtype, device=template.device)
        return HandParameters(
            present=torch.ones(*batch, 2, dtype=torch.bool, device=template.device),
            T_object_hand=eye.expand(*batch, 2, 4, 4),
            pose=template.new_zeros(1).expand(*batch, 2, 15, 3),
            shape=template.new_zeros(1).expand(*batch, 2, self.num_shape),
        )

    def bones(self, hands: HandParameters) -> Bones:
        """Bone frames without skinning anything: the fast path.

        Raises:
            HandModelError: if `shape` has another length than the model's.
        """
        if hands.shape.shape[-1] != self.num_shape:
            raise HandModelError(
                f"shape has {hands.shape.shape[-1]} numbers but the {self.name} hand takes "
                f"{self.num_shape}: {', '.join(self.shape_names)}"
            )
        rest = shaped(self.bone_joints, self.bone_joint_directions, hands.shape)
        return pose_bones(hands.T_object_hand, hands.pose + self.mean_pose, rest)

    def pose_hands(self, hands: HandParameters) -> PosedHands:
        """Skin, 21 joints and bone frames of both hands in the object frame."""
        bones = self.bones(hands)
        return PosedHands(
            vertices_object=skin_points(self.surface, bones, hands.shape),
            joints_object=self._joints(bones, hands.shape),
            Ts_object_bone=bones.matrices(),
        )

    def joints(self, hands: HandParameters) -> Float[Tensor, "*batch hand=2 joint=21 3"]:
        """The 21 joints in the object frame, without the skin."""
        return self._joints(self.bones(hands), hands.shape)

    def skin(
        self, hands: HandParameters, *, vertices: Int[Tensor, "n"]
    ) -> tuple[Float[Tensor, "*batch hand=2 n 3"], Float[Tensor, "*batch hand=2 bone=16 4 4"]]:
        """Some vertices only, and the bone frames, in the object frame."""
        bones = self.bones(hands)
        points = skin_points(self.surface.subset(vertices), bones, hands.shape)
        return points, bones.matrices()

    def angles_from_pose(
        self, pose: Float[Tensor, "*batch hand=2 15 3"]
    ) -> Float[Tensor, "*batch hand=2 15 3"]:
        """Bend, splay and twist (radians, zero = rest pose) of each finger joint."""
        return (self.anatomy.axes @ (pose + self.mean_pose)[..., None]).squeeze(-1)

    def pose_from_angles(
        self, angles: Float[Tensor, "*batch hand=2 15 3"]
    ) -> Float[Tensor, "*batch hand=2 15 3"]:
        """Inverse of `angles_from_pose` (the axes are orthonormal)."""
        axes = self.anatomy.axes.transpose(-1, -2)
        return (axes @ angles[..., None]).squeeze(-1) - self.mean_pose

    def parameters_of_bones(
        self, hands: HandParameters, Ts_object_bone: Float[Tensor, "*batch hand=2 bone=16 4 4"]
    ) -> HandParameters:
        """Inverse of `bones`: the wrists and poses that have these bone frames.

        Args:
            hands: One grasp without a leading batch; its shape and presence are kept.
            Ts_object_bone: Frames as in `PosedHands`; only rotations of the fingers are used.
        """
        Ts = Ts_object_bone.to(hands.T_object_hand)
        R = Ts[..., :3, :3]
        R_parent = R[..., list(BONE_PARENTS[1:]), :, :]
        rotvec = rotvec_from_matrix(R_parent.transpose(-1, -2) @ R[..., 1:, :, :])
        batch = Ts.shape[:-4]
        return HandParameters(
            present=hands.present.expand(*batch, 2),
            T_object_hand=Ts[..., 0, :, :],
            pose=rotvec - self.mean_pose,
            shape=hands.shape.expand(*batch, 2, -1),
        )

    def clamp(
        self, pose: Float[Tensor, "*batch hand=2 15 3"]
    ) -> Float[Tensor, "*batch hand=2 15 3"]:
        """The pose with every angle moved to the nearest value inside its limits."""
        low, high = self.anatomy.limits.unbind(-1)
        return self.pose_from_angles(self.angles_from_pose(pose).clamp(low, high))

    def limit_violation(
        self, pose: Float[Tensor, "*batch hand=2 15 3"]
    ) -> Float[Tensor, "*batch hand=2 15 3"]:
        """Radians by which each angle is outside its limits; zero inside."""
        low, high = self.anatomy.limits.unbind(-1)
        angles = self.angles_from_pose(pose)
        return (low - angles).clamp_min(0) + (angles - high).clamp_min(0)

    def random_poses(
        self, *batch: int, generator: torch.Generator | None = None
    ) -> Float[Tensor, "*batch hand=2 15 3"]:
        """Poses whose angles are uniform inside the limits."""
        low, high = self.anatomy.limits.unbind(-1)
        share = torch.rand(*batch, 2, 15, 3, generator=generator).to(low)
        return self.pose_from_angles(low + share * (high - low))

    def to(
        self, device: torch.device | str | None = None, dtype: torch.dtype | None = None
    ) -> "HandModel":
        """The model on another device or in another floating type."""
        return _moved(self, device, dtype)

    def _joints(
        self, bones: Bones, shape: Float[Tensor, "*batch hand=2 shape"]
    ) -> Float[Tensor, "*batch hand=2 joint=21 3"]:
        return _with_tips(bones.position, skin_points(self.tips, bones, shape))


def _with_tips(
    bones: Float[Tensor, "*batch bone=16 3"], tips: Float[Tensor, "*batch tip=5 3"]
) -> Float[Tensor, "*batch joint=21 3"]:
    """Our joint order: each finger's tip follows its last joint."""
    fingers = bones[..., 1:, :].unflatten(-2, (5, 3))
    chain = torch.cat([fingers, tips[..., None, :]], dim=-2).flatten(-3, -2)
    return torch.cat([bones[..., :1, :], chain], dim=-2)


def _moved(value: _Value, device: torch.device | str | None, dtype: torch.dtype | None) -> _Value:
    """A dataclass, tuple or tensor moved; integers and masks keep their type."""
    moved: Any = value
    if isinstance(value, Tensor):
        moved = value.to(device=device, dtype=dtype if value.is_floating_point() else None)
    elif isinstance(value, tuple):
        moved = tuple(_moved(item, device, dtype) for item in value)
    elif is_dataclass(value) and not isinstance(value, type):
        items = {field.name: getattr(value, field.name) for field in fields(value)}
        moved = replace(value, **{k: _moved(item, device, dtype) for k, item in items.items()})
    return moved
