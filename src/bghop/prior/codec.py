"""Scenes to latents and back: what a prior's numbers mean.

Frame: origin in the middle of the grid, metres; axes of the object (`GridSpec.frame` "object") or
of the right wrist ("right"). Two codecs with one interface: `JointCodec` (ours: the hands are their
joints) and `FieldCodec` (released: the hands are interaction grids).
"""

from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, Protocol, runtime_checkable

from jaxtyping import Bool, Float
from torch import Tensor

from bghop.errors import OptionError
from bghop.fields.fit_joints import JOINT_SD, fit_hands
from bghop.fields.grid_spec import GridSpec
from bghop.fields.hand_field import hand_field
from bghop.fields.recover import recover_hands
from bghop.hands.model import HandModel, HandParameters
from bghop.hands.postures import Postures
from bghop.prior.first_stage import FirstStage, to_distance_grid
from bghop.prior.layout import ChannelLayout, JointLayout, LatentParts, Layout

SAMPLE_JOINT_SD = 0.004
"""Metres; how far joints of samples are off. A fit that trusts them more bends fingers as no hand
of the data is bent (docs/decisions.md)."""


@runtime_checkable
class LatentCodec(Protocol):
    """What every codec does."""

    spec: GridSpec
    first_stage: FirstStage

    @property
    def layout(self) -> Layout:
        """Where the parts of its latents are."""
        ...

    def encode(
        self,
        sdf: Float[Tensor, "b 1 n n n"],
        joints: Float[Tensor, "b hand=2 joint=21 3"],
        present: Bool[Tensor, "b hand=2"],
    ) -> Float[Tensor, "b ..."]:
        """Latents of scenes; distances and joints in metres."""
        ...

    def encode_joints(
        self, joints: Float[Tensor, "b hand=2 joint=21 3"], present: Bool[Tensor, "b hand=2"]
    ) -> Float[Tensor, "b hand=2 ..."]:
        """The hands' part alone; gradients flow to the joints."""
        ...

    def decode_object(self, latent: Float[Tensor, "b ..."]) -> Float[Tensor, "b 1 n n n"]:
        """Distances over the first stage's truncation, negative inside."""
        ...

    def decode_hands(
        self,
        latent: Float[Tensor, "b ..."],
        model: HandModel,
        present: Bool[Tensor, "b hand=2"],
        shape: Float[Tensor, "b hand=2 shape"] | None = None,
    ) -> HandParameters:
        """Hands in the grid's frame, of the given shape if there is one."""
        ...


@dataclass(frozen=True, kw_only=True, eq=False)
class JointCodec:
    """Hands as joints in units of `joint_scale`; the object through a first stage.

    Nine tenths of a first stage's cells are empty, so that those at a surface reach 37 standard
    deviations; `asinh` of the latents keeps them within 5 and is undone before decoding.
    """

    first_stage: FirstStage
    spec: GridSpec
    joint_scale: float = 0.12
    """Metres per unit: about the spread of joints about the middle of the grid."""
    postures: Postures | None = None
    """How the data's hands are bent; hands are then fitted to joints that are some millimetres off,
    and what the joints leave open is as in the data."""

    @property
    def layout(self) -> JointLayout:
        """Object grid and joints, flat."""
        return JointLayout(
            object_channels=self.first_stage.latent_channels, resolution=self.spec.resolution
        )

    def encode(
        self,
        sdf: Float[Tensor, "b 1 n n n"],
        joints: Float[Tensor, "b hand=2 joint=21 3"],
        present: Bool[Tensor, "b hand=2"],
    ) -> Float[Tensor, "b number"]:
        """Latents of scenes; absent hands are zeros."""
        thing = self.first_stage.encode(to_distance_grid(sdf, self.first_stage.truncation))
        return self.layout.pack(LatentParts(thing.asinh(), self.encode_joints(joints, present)))

    def encode_joints(
        self, joints: Float[Tensor, "b hand=2 joint=21 3"], present: Bool[Tensor, "b hand=2"]
    ) -> Float[Tensor, "b hand=2 joint=21 3"]:
        """`joints / joint_scale`."""
        return joints / self.joint_scale * present[:, :, None, None]

    def decode_object(self, latent: Float[Tensor, "b number"]) -> Float[Tensor, "b 1 n n n"]:
        """Distances over the truncation."""
        return self.first_stage.decode(self.layout.unpack(latent).object.sinh())

    def decode_hands(
        self,
        latent: Float[Tensor, "b number"],
        model: HandModel,
        present: Bool[Tensor, "b hand=2"],
        shape: Float[Tensor, "b hand=2 shape"] | None = None,
    ) -> HandParameters:
        """The hands that fit the joints best: of the given shape, or else of some one person."""
        joints = self.layout.unpack(latent).hands * self.joint_scale
        return fit_hands(
            joints,
            model,
            present=present,
            shape=shape,
            estimate_shape=shape is None,
            joint_sd=JOINT_SD if self.postures is None else SAMPLE_JOINT_SD,
            postures=self.postures,
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class FieldCodec:
    """Hands as interaction grids `(min(d^2, truncation) - offset) / scale`.

    The released models have offset 0 and scale 1, which leaves their hand channels far below unit
    noise; the offset and scale of normalised channels are the mean and spread over data.
    """

    first_stage: FirstStage
    spec: GridSpec
    offset: float = 0.0
    scale: float = 1.0

    @property
    def layout(self) -> ChannelLayout:
        """Channels of one grid."""
        return ChannelLayout(
            object_channels=self.first_stage.latent_channels, resolution=self.spec.resolution
        )

    def encode(
        self,
        sdf: Float[Tensor, "b 1 n n n"],
        joints: Float[Tensor, "b hand=2 joint=21 3"],
        present: Bool[Tensor, "b hand=2"],
    ) -> Float[Tensor, "b channel x y z"]:
        """Latents of scenes; absent hands are saturated."""
        thing = self.first_stage.encode(to_distance_grid(sdf, self.first_stage.truncation))
        return self.layout.pack(LatentParts(thing, self.encode_joints(joints, present)))

    def encode_joints(
        self, joints: Float[Tensor, "b hand=2 joint=21 3"], present: Bool[Tensor, "b hand=2"]
    ) -> Float[Tensor, "b hand=2 channel=20 x y z"]:
        """Interaction grids, normalised."""
        return (hand_field(joints, self._centred, present=present) - self.offset) / self.scale

    def decode_object(self, latent: Float[Tensor, "b channel x y z"]) -> Float[Tensor, "b 1 n n n"]:
        """Distances over the truncation."""
        return self.first_stage.decode(self.layout.unpack(latent).object)

    def decode_hands(
        self,
        latent: Float[Tensor, "b channel x y z"],
        model: HandModel,
        present: Bool[Tensor, "b hand=2"],
        shape: Float[Tensor, "b hand=2 shape"] | None = None,
    ) -> HandParameters:
        """Recovery from the grids; a present hand that no channel shows comes back absent.

        Without a shape the hands are average.
        """
        field = self.layout.unpack(latent).hands * self.scale + self.offset
        absent = ~present[:, :, None, None, None, None]
        field = field.masked_fill(absent, self.spec.truncation)
        grids = field.clamp(0, self.spec.truncation)
        hands = recover_hands(grids, self._centred, model, shape=shape).hands
        return HandParameters(
            present=hands.present & present,
            T_object_hand=hands.T_object_hand,
            pose=hands.pose,
            shape=hands.shape,
        )

    @property
    def _centred(self) -> GridSpec:
        return replace(self.spec, centre=(0.0, 0.0, 0.0))


Codec = JointCodec | FieldCodec


def codec_config(codec: Codec) -> dict[str, Any]:
    """Plain values of a codec without its first stage and postures."""
    kind: Literal["joints", "fields"] = "joints" if isinstance(codec, JointCodec) else "fields"
    tensors = ("first_stage", "spec", "postures")
    numbers = {k: v for k, v in vars(codec).items() if k not in tensors}
    return {"type": kind, "grid": asdict(codec.spec), **numbers}


def codec_from_config(config: dict[str, Any], first_stage: FirstStage) -> Codec:
    """Inverse of `codec_config`.

    Raises:
        OptionError: There is no such codec.
    """
    numbers = dict(config)
    kind, grid = numbers.pop("type", None), dict(numbers.pop("grid"))
    spec = GridSpec(**{**grid, "centre": tuple(grid["centre"])})
    if kind == "joints":
        return JointCodec(first_stage=first_stage, spec=spec, **numbers)
    if kind == "fields":
        return FieldCodec(first_stage=first_stage, spec=spec, **numbers)
    raise OptionError(f"unknown codec '{kind}': use joints or fields")
