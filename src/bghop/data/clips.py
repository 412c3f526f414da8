"""`Clip`: some frames of an object and two hands in a world, as every foreign data set gives them.

Adapters (arctic.py, ...) read their files into clips; what follows is the same for all.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from bghop.data.origin import Origin
from bghop.data.record import Records
from bghop.geometry.transforms import invert_rigid
from bghop.hands.model import HandModel, HandParameters


def prompt(name: str, action: str, *, verb: str = "use the") -> str:
    """What is done, with the object's name first.

    A prior reads the name of the object out of a prompt: of "pour water" that would be the water.
    """
    return f"{verb} {name}: {action}" if name and action else name or action


@dataclass(frozen=True, kw_only=True, eq=False)
class Clip:
    """Consecutive or chosen frames of one sequence; leading axis `frame`."""

    source: str
    """Name of the data set."""
    sequence: str
    """Unique in the data set; records are called `sequence/frame`."""
    frame: Int64[Tensor, "frame"]
    """Numbers of the frames in the data set's own count."""
    object: str
    """Key of the object."""
    split: str
    """`train`, `val` or `test`."""
    text: tuple[str, ...]
    """Per frame; empty where nothing is said."""
    T_world_object: Float[Tensor, "frame 4 4"]
    joint_value: Float[Tensor, "frame"]
    """Radians or metres of the object's joint; 0 for rigid ones."""
    hands_world: HandParameters
    """As in a scene, but `T_object_hand` holds `T_world_hand`."""
    time: Float[Tensor, "frame"] | None = None
    """Seconds in the sequence, where the data set says them; else frames are counted."""
    rejected: Bool[Tensor, "frame"] | None = None
    """Frames that the data set's own quality check rejects, where it has one."""
    num_skipped: int = 0
    """Frames of the sequence that a stride left out before the clip was made."""

    def __len__(self) -> int:
        """Number of frames."""
        return len(self.frame)

    def rows(self, index: Sequence[int] | Tensor) -> "Clip":
        """Some of the frames, by number in the clip or by a mask."""
        number = torch.as_tensor(index)
        if number.dtype == torch.bool:
            number = number.nonzero().squeeze(-1)
        number = number.long()
        return replace(
            self,
            frame=self.frame[number],
            text=tuple(self.text[i] for i in number.tolist()),
            T_world_object=self.T_world_object[number],
            joint_value=self.joint_value[number],
            hands_world=self.hands_world.rows(number),
            time=None if self.time is None else self.time[number],
            rejected=None if self.rejected is None else self.rejected[number],
        )

    def hands_object(self) -> HandParameters:
        """The hands in the object's frame; absent ones hold the identity and zeros."""
        T = invert_rigid(self.T_world_object)[:, None] @ self.hands_world.T_object_hand
        here = self.hands_world.present
        eye = torch.eye(4, dtype=T.dtype).expand_as(T)
        return HandParameters(
            present=here,
            T_object_hand=torch.where(here[..., None, None], T, eye),
            pose=self.hands_world.pose * here[..., None, None],
            shape=self.hands_world.shape * here[..., None],
        )

    def records(self, model: HandModel, *, frame_rate: float | None = None) -> Records:
        """Rows of a data set, every frame one.

        Args:
            model: of the hands.
            frame_rate: frames a second, for clips without times; None: unknown.
        """
        num = len(self)
        time = self.time
        if time is None:
            time = self.frame.double() / (frame_rate or torch.nan)
        return Records(
            id=tuple(f"{self.sequence}/{number:05d}" for number in self.frame.tolist()),
            object=(self.object,) * num,
            text=self.text,
            split=(self.split,) * num,
            source=(self.source,) * num,
            joint_value=self.joint_value.float(),
            hands=self.hands_object().to(dtype=torch.float32),
            hand_model=model.name,
            shape_names=model.shape_names,
            origin=Origin(
                sequence=(self.sequence,) * num,
                frame=self.frame,
                time=time.double(),
                T_world_object=self.T_world_object.float(),
            ),
        )
