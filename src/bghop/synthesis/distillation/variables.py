"""What score distillation changes: wrist poses relative to the object and finger angles.

The paper moves the object relative to the right hand (`T_right_object`) and the left hand relative
to the right one (`T_right_left`). Both wrist poses relative to the object are the same unknowns,
`T_right_object = T_object_right^-1` and `T_right_left = T_object_right^-1 T_object_left`, and keep
the object where the user has put it.

Hands turn about the middle of their palm, not about the wrist: then turning hardly moves the hand
as a whole, and steps in place and in direction do not undo each other.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from bghop.fields.released_frame import wrist_frame_joints
from bghop.geometry.rotations import matrix_from_rotvec
from bghop.geometry.transforms import rigid
from bghop.hands.model import HandModel, HandParameters
from bghop.synthesis.distillation.metric import joint_metric

Leaves = tuple[Tensor, Tensor, Tensor]
"""Middles of the palms, rotation vectors, angles: `b 2 3`, `b 2 3`, `b 2 15 3`."""
_FAST, _SLOW = 0.8, 0.95  # Adam's memories
_PALM = (0, 5, 9, 13, 17)
_STUCK = 1e3  # curvature of an angle that is at its limit and wants to go on


def palm_middle(model: HandModel, hands: HandParameters) -> Float[Tensor, "n hand=2 3"]:
    """Mean of wrist and finger bases in the wrist frames; does not depend on the pose."""
    return wrist_frame_joints(model, hands)[:, :, list(_PALM)].mean(-2)


class HandVariables:
    """The unknowns of all candidates, and steps whose rows know nothing of each other.

    Rotations are updated in place, `R <- exp(turn) R`, so there is no angle where they end.
    """

    def __init__(self, model: HandModel, hands: HandParameters) -> None:
        self.model = model
        self.present, self.shape = hands.present, hands.shape
        low, high = model.anatomy.limits.unbind(-1)
        self._limits = low, high
        T = hands.T_object_hand
        self._anchor = palm_middle(model, hands)
        self._R = T[..., :3, :3].clone()
        self._middle = (self._R @ self._anchor[..., None]).squeeze(-1) + T[..., :3, 3]
        self._angles = model.angles_from_pose(hands.pose).clamp(low, high)
        shapes = (self._middle, self._middle, self._angles)
        self._first = [torch.zeros_like(x) for x in shapes]
        self._second = [torch.zeros_like(x) for x in shapes]
        self._count = torch.zeros(len(T), device=T.device, dtype=T.dtype)

    def leaves(self, rows: Int[Tensor, "b"]) -> Leaves:
        """Fresh leaf tensors of some candidates; the rotation vectors are zero."""
        middle, angles = self._middle[rows], self._angles[rows]
        return tuple(  # type: ignore[return-value]
            x.requires_grad_() for x in (middle, torch.zeros_like(middle), angles)
        )

    def hands(self, rows: Int[Tensor, "b"], leaves: Leaves | None = None) -> HandParameters:
        """Candidates as hands; with gradients to the leaves if they are given."""
        middle, angles, R = self._middle[rows], self._angles[rows], self._R[rows]
        if leaves is not None:
            middle, turn, angles = leaves
            R = matrix_from_rotvec(turn) @ R
        t = middle - (R @ self._anchor[rows][..., None]).squeeze(-1)
        return HandParameters(
            present=self.present[rows],
            T_object_hand=rigid(R, t),
            pose=self.model.pose_from_angles(angles),
            shape=self.shape[rows],
        )

    @torch.no_grad()
    def newton_step(
        self,
        rows: Int[Tensor, "b"],
        gradients: Leaves,
        curvature: Float[Tensor, "b"],
        rates: Float[Tensor, "kind=3 b"],
        *,
        gain: float,
        stiffness: Float[Tensor, "b"],
    ) -> None:
        """One Gauss-Newton step for some candidates; angles stay inside the joint limits.

        Args:
            rows: candidates.
            gradients: by the leaves.
            curvature: second derivative of the loss by the joints.
            rates: largest steps of middle, turn and angles; a longer step is shortened as a whole.
            gain: share of the step that is taken: noise is averaged over about `1 / gain` steps.
            stiffness: of the fingers, metres per radian. Fingers that are free from the start bend
                to where a hand that is turned the wrong way should be, and it never turns.
        """
        hands, middle, angles = self.hands(rows), self._middle[rows], self._angles[rows]
        metric = curvature[:, None, None, None] * joint_metric(self.model, hands, middle)
        metric.diagonal(dim1=-2, dim2=-1)[..., 6:].add_(
            (curvature * stiffness.square())[:, None, None]
        )
        low, high = self._limits
        by_angle = gradients[2]
        stuck = ((angles <= low) & (by_angle > 0)) | ((angles >= high) & (by_angle < 0))
        downhill = torch.cat([gradients[0], gradients[1], by_angle.flatten(2)], dim=-1)
        held = torch.cat([torch.zeros_like(stuck[..., :2, :]), stuck], dim=-2).flatten(2)
        stiff = curvature[:, None, None] * held * _STUCK
        metric.diagonal(dim1=-2, dim2=-1).add_(stiff)
        move = -gain * torch.linalg.solve(metric, torch.where(held, 0.0, downhill))
        parts = (move[..., :3], move[..., 3:6], move[..., 6:].unflatten(-1, (15, 3)))
        lengths = (parts[0].norm(dim=-1), parts[1].norm(dim=-1), parts[2].abs().amax((-1, -2)))
        longest = torch.stack(lengths) / rates[:, :, None]
        short = 1 / longest.amax(0).clamp_min(1)
        self._move(rows, [part * _like(short, part) for part in parts])

    @torch.no_grad()
    def adam_step(
        self, rows: Int[Tensor, "b"], gradients: Leaves, rates: Float[Tensor, "kind=3 b"]
    ) -> None:
        """One step of Adam for some candidates; angles stay inside the joint limits.

        Args:
            rows: candidates.
            gradients: by the leaves; a hand that is absent must have zeros.
            rates: largest steps of middle, turn and angles.
        """
        self._count[rows] += 1
        count = self._count[rows]
        moves = []
        for kind, gradient in enumerate(gradients):
            first, second = self._first[kind], self._second[kind]
            first[rows] = _FAST * first[rows] + (1 - _FAST) * gradient
            second[rows] = _SLOW * second[rows] + (1 - _SLOW) * gradient.square()
            each = (-1, *[1] * (gradient.dim() - 1))
            mean = first[rows] / (1 - _FAST**count).view(each)
            spread = (second[rows] / (1 - _SLOW**count).view(each)).sqrt()
            moves.append(-rates[kind].view(each) * mean / (spread + 1e-10))
        self._move(rows, moves)

    def _move(self, rows: Int[Tensor, "b"], moves: list[Tensor]) -> None:
        self._middle[rows] += moves[0]
        self._R[rows] = matrix_from_rotvec(moves[1]) @ self._R[rows]
        self._angles[rows] = (self._angles[rows] + moves[2]).clamp(*self._limits)


def _like(per_hand: Float[Tensor, "b hand=2"], part: Tensor) -> Tensor:
    return per_hand.view(*per_hand.shape, *[1] * (part.dim() - 2))
