"""MANO's own numbers, as data sets store them, to hands in a world."""

from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from bghop.geometry.rotations import matrix_from_rotvec
from bghop.geometry.transforms import rigid
from bghop.hands.joints import BONES_FROM_MANO
from bghop.hands.mano import load_mano, pose_components, wrist_pose_from_mano
from bghop.hands.model import HandModel, HandParameters

_FINGERS = [bone - 1 for bone in BONES_FROM_MANO[1:]]


@dataclass(frozen=True, kw_only=True, eq=False)
class ManoHands:
    """The user's MANO files, read as one data set uses them."""

    model: HandModel
    components: Float[Tensor, "hand=2 component=45 45"]
    """Principal components of poses, the largest first."""

    @classmethod
    def of(cls, folder: Path, *, flat_hand_mean: bool, fix_left_shapedirs: bool) -> "ManoHands":
        """Read both files.

        Raises:
            HandModelError: The folder cannot be used.
        """
        model = load_mano(
            folder, flat_hand_mean=flat_hand_mean,
            fix_left_shapedirs="if needed" if fix_left_shapedirs else False,
        )  # fmt: skip
        return cls(model=model, components=pose_components(folder))

    def hands(
        self,
        *,
        orient: Float[Tensor, "frame hand=2 3"],
        pose: Float[Tensor, "frame hand=2 45"],
        transl: Float[Tensor, "frame hand=2 3"],
        shape: Float[Tensor, "frame hand=2 10"],
        present: Bool[Tensor, "frame hand=2"] | None = None,
        at_wrist: bool = False,
    ) -> HandParameters:
        """Hands in the world of the numbers (`T_object_hand` holds `T_world_hand`), float64.

        Args:
            orient: rotation vectors of the root.
            pose: rotation vectors of the fingers in MANO's order, counted as the model's.
            transl: metres.
            shape: betas.
            present: hands that exist; all if None.
            at_wrist: `transl` is where the wrist joint is (manopth with `center_idx=0`); else it is
                added to the template, as in smplx.
        """
        if at_wrist:
            T = rigid(matrix_from_rotvec(orient.double()), transl.double())
        else:
            T = wrist_pose_from_mano(
                self.model.to(dtype=torch.float64), global_orient=orient.double(),
                transl=transl.double(), shape=shape.double(),
            )  # fmt: skip
        if present is None:
            present = torch.ones(orient.shape[:2], dtype=torch.bool)
        return HandParameters(
            present=present,
            T_object_hand=T,
            pose=pose.double().unflatten(-1, (15, 3))[:, :, _FINGERS],
            shape=shape.double(),
        )

    def wrist_in_template(
        self, shape: Float[Tensor, "frame hand=2 10"]
    ) -> Float[Tensor, "frame hand=2 3"]:
        """Where the wrist joint of each shape is in MANO's own frame, metres, float64."""
        still = shape.new_zeros(*shape.shape[:2], 3).double()
        T = wrist_pose_from_mano(
            self.model.to(dtype=torch.float64), global_orient=still, transl=still,
            shape=shape.double(),
        )  # fmt: skip
        return T[..., :3, 3]

    def pose_of(
        self, coefficients: Float[Tensor, "frame hand=2 component"]
    ) -> Float[Tensor, "frame hand=2 45"]:
        """Finger poses from the first principal components (added to the mean by the model)."""
        count = coefficients.shape[-1]
        return torch.einsum(
            "fhc,hcp->fhp", coefficients.double(), self.components[:, :count].double()
        )
