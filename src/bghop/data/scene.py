"""From rows of records to scenes in the grid's frame: object distances and hand joints.

The frame's origin is the middle of the grid. `frame="object"`: the middle of the object's box after
the motion, axes turned with it. `frame="right"`: the released models' frame, the axes of the right
wrist about a point 8 cm to the palm side of its index base; scenes without a right hand are
mirrored.
"""

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from bghop.data.augment import (
    AugmentOptions,
    Motion,
    draw_motion,
    mirror_where,
    moved_hands,
    no_motion,
)
from bghop.data.objects import ObjectStore
from bghop.data.record import Records
from bghop.errors import DataError, OptionError
from bghop.fields.grid_spec import GridSpec
from bghop.fields.released_frame import T_frame_object
from bghop.geometry.transforms import invert_rigid, rigid
from bghop.hands.model import HandModel, HandParameters
from bghop.threads import one_thread

TRUNCATION = 0.04
"""Metres from the surface that first stages are told about; the released one's too."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Scenes:
    """A batch of scenes in the grid's frame (metres, origin in the middle of the grid)."""

    row: Int64[Tensor, "b"]
    """Rows of the records, CPU."""
    sdf: Float[Tensor, "b 1 n n n"]
    """Object distances on the first stage's lattice, metres, clamped to the truncation."""
    joints: Float[Tensor, "b hand=2 joint=21 3"]
    present: Bool[Tensor, "b hand=2"]
    hands: HandParameters
    """The same hands as parameters, relative to the frame; CPU."""
    T_object_frame: Float[Tensor, "b 4 4"]
    """`p_object = T_object_frame @ p_frame`; mirrors where the scene is mirrored. CPU."""


class SceneBuilder:
    """Builds scenes from records on the device of the object store's samples.

    Poses and joints are computed on the CPU (they are small), distances where the samples are.
    """

    def __init__(
        self,
        records: Records,
        objects: ObjectStore,
        hand_model: HandModel,
        spec: GridSpec,
        *,
        augment: AugmentOptions | None = None,
        truncation: float = TRUNCATION,
    ) -> None:
        """Check that records, objects, hand model and frame fit together.

        Args:
            records: rows; of the given hand model.
            objects: store that has all of their objects.
            hand_model: on the CPU.
            spec: lattice; its `centre` is not used, the frame says where the middle is.
            augment: what `scenes` does if it is given a generator.
            truncation: largest distance, metres.

        Raises:
            DataError: Another hand model, objects that are missing, or no rows.
            OptionError: Turned scenes in the right hand's frame.
        """
        self.records = records.for_model(hand_model)
        if len(records) == 0:
            raise DataError("no records to train on: choose another split or file")
        self.objects = objects
        self.hand_model = hand_model
        self.spec = spec
        self.augment = augment or AugmentOptions()
        self.truncation = truncation
        if spec.frame == "right" and self.augment.rotation != "none":
            raise OptionError(
                f"rotation '{self.augment.rotation}' in the right hand's frame, which turns with "
                "the hand: use rotation 'none'"
            )
        self._object = objects.index_of(records.object)
        axis = spec.first_stage_axis() * spec.unit
        self._axes = axis.expand(3, -1).contiguous()

    def __len__(self) -> int:
        """Number of rows."""
        return len(self.records)

    @property
    def device(self) -> torch.device:
        """Where scenes are built."""
        return self.objects.values.device

    def texts(self, row: Int64[Tensor, "b"]) -> list[str]:
        """Prompts of rows."""
        return [self.records.text[i] for i in row.tolist()]

    def scenes(
        self,
        row: Sequence[int] | Int64[Tensor, "b"],
        *,
        generator: torch.Generator | None = None,
        still: Bool[Tensor, "b"] | None = None,
    ) -> Scenes:
        """Scenes of rows: moved at random with a (CPU) generator, else as they are.

        Args:
            row: numbers of rows.
            generator: of the motions.
            still: rows that are mirrored at most, neither turned nor shifted.
        """
        row = torch.as_tensor(row, dtype=torch.int64)
        if generator is None:
            motion = no_motion(len(row))
        else:
            motion = draw_motion(len(row), self.augment, generator)
        if still is not None:
            motion = motion.only_mirrored(still)
        return self.moved(row, motion)

    def moved(self, row: Int64[Tensor, "b"], motion: Motion) -> Scenes:
        """Scenes of rows after given motions; in full precision, also under autocast."""
        # Small tensors: a second thread would mostly wait, on a busy machine for long.
        with (
            torch.autocast(self.device.type, enabled=False),
            one_thread() if self.device.type == "cpu" else nullcontext(),
        ):
            return self._built(row, motion)

    def _built(self, row: Int64[Tensor, "b"], motion: Motion) -> Scenes:
        hands, T_object_frame = self._placed(row, motion)
        joint_value = self.records.joint_value[row]
        sdf = self.objects.lattice_distance(
            self._object[row],
            joint_value,
            T_object_frame,
            self._axes,
            truncation=self.truncation,
        )
        joints = self.hand_model.joints(hands)
        return Scenes(
            row=row,
            sdf=sdf[:, None],
            joints=joints.to(self.device),
            present=hands.present.to(self.device),
            hands=hands,
            T_object_frame=T_object_frame,
        )

    def _placed(
        self, row: Int64[Tensor, "b"], motion: Motion
    ) -> tuple[HandParameters, Float[Tensor, "b 4 4"]]:
        """Hands in the frame, and the frame in the object's frame."""
        hands = self.records.hands.rows(row)
        mirrored = motion.mirrored
        if self.spec.frame == "right":
            mirrored = torch.where(hands.present.all(-1), mirrored, ~hands.present[:, 1])
            motion = Motion(mirrored=mirrored, R=motion.R, shift=motion.shift)
        hands = mirror_where(hands, mirrored)
        if self.spec.frame == "right":
            T = T_frame_object(self.hand_model, hands).to(hands.T_object_hand)
            R, t = T[:, :3, :3], T[:, :3, 3]
        else:
            linear = motion.R_frame_object()
            zero = torch.zeros(len(row), 3)
            box = self.objects.box(
                self._object[row], self.records.joint_value[row], rigid(linear, zero)
            )
            R, t = motion.R, -box.mean(1)
        t = t + motion.shift
        flip = torch.where(mirrored, -1.0, 1.0)
        T_object_frame = invert_rigid(rigid(R, t))
        T_object_frame[:, 0] *= flip[:, None]
        return moved_hands(hands, R, t), T_object_frame
