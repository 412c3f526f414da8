"""The released network as a `Denoiser`: their channel order, their single level, their text."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from bghop.errors import OptionError
from bghop.prior.denoiser import Condition, Prediction
from bghop.prior.layout import RELEASED_ORDER, ChannelLayout, Part
from bghop.prior.unet import UNet3D

ONE_HAND_ORDER: tuple[Part, ...] = ("object", "right")


class ReleasedDenoiser(nn.Module):
    """`UNet3D` over a `ChannelLayout`; answers noise. One hand: the left channels come back as 0.

    Rows without text are told CLIP's encoding of the empty prompt, as in training; set it once
    with `set_empty_text`.
    """

    prediction: Prediction = "eps"
    level_per_part = False

    empty_text: Tensor
    order: Tensor

    def __init__(self, unet: UNet3D) -> None:
        super().__init__()
        self.unet = unet
        self.layout = ChannelLayout(object_channels=3)
        one_hand = unet.config.in_channels < sum(self.layout.sizes)
        order = self.layout.to_order(ONE_HAND_ORDER if one_hand else RELEASED_ORDER)
        if len(order) != unet.config.in_channels:
            raise OptionError(
                f"a network of {unet.config.in_channels} channels is no released one: they have "
                "23 (one hand) or 43 (two hands)"
            )
        self.register_buffer("order", torch.tensor(order), persistent=False)
        self.register_buffer("empty_text", torch.zeros(0), persistent=False)

    @property
    def hands(self) -> int:
        """1 (G-HOP: the right one) or 2 (BG-HOP)."""
        return 1 if len(self.order) < sum(self.layout.sizes) else 2

    def set_empty_text(self, tokens: Float[Tensor, "token dim"]) -> None:
        """The encoding of "", which stands for no text."""
        self.empty_text = tokens.to(next(self.unet.parameters()))

    def forward(
        self,
        x: Float[Tensor, "b channel x y z"],
        levels: Float[Tensor, "b part=3"],
        condition: Condition,
    ) -> Float[Tensor, "b channel x y z"]:
        """The noise; levels are training steps, the same for all parts.

        Raises:
            OptionError: Rows without text, and `set_empty_text` was never called.
        """
        context = condition.tokens.to(x.dtype)
        if not bool(condition.text_given.all()):
            if self.empty_text.numel() == 0:
                raise OptionError(
                    "released weights need the encoding of the empty prompt: give CLIP's folder "
                    "(--text-model DIR)"
                )
            given = condition.text_given[:, None, None]
            context = torch.where(given, context, self.empty_text.to(x.dtype))
        answer = self.unet(x[:, self.order], levels[:, 0], context)
        whole = torch.zeros_like(x)
        whole[:, self.order] = answer
        return whole

    def transfer_parameters(self) -> list[nn.Parameter]:
        """Input and output layers: what `semi-frozen` transfer trains."""
        first, last = self.unet.input_blocks[0], self.unet.out
        return [*first.parameters(), *last.parameters()]
