"""Transformer blocks over the cells of a grid: self-attention, text by cross-attention, gated MLP.

The names of the parameters are those of the released denoiser (a latent-diffusion U-Net), so that
its weights load without a table of names.
"""

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional


class Attention(nn.Module):
    """Multi-head attention of `x` to `context` (to itself if there is none)."""

    def __init__(
        self, channels: int, head_channels: int, *, context_dim: int | None = None
    ) -> None:
        super().__init__()
        self.heads = channels // head_channels
        self.to_q = nn.Linear(channels, channels, bias=False)
        self.to_k = nn.Linear(context_dim or channels, channels, bias=False)
        self.to_v = nn.Linear(context_dim or channels, channels, bias=False)
        self.to_out = nn.Sequential(nn.Linear(channels, channels))

    def forward(
        self,
        x: Float[Tensor, "batch cells channels"],
        context: Float[Tensor, "batch tokens dim"] | None = None,
    ) -> Float[Tensor, "batch cells channels"]:
        """Weighted values, not added to `x`."""
        context = x if context is None else context
        if context is not x and context.shape[1] == 1:
            # A softmax over one token is 1 whatever the query: the value is the answer.
            return self.to_out(self.to_v(context)).expand_as(x)
        q, k, v = self._split(self.to_q(x)), self._split(self.to_k(context)), self.to_v(context)
        mixed = functional.scaled_dot_product_attention(q, k, self._split(v))
        return self.to_out(mixed.transpose(1, 2).flatten(2))

    def _split(self, x: Tensor) -> Tensor:
        return x.unflatten(2, (self.heads, -1)).transpose(1, 2)


class GatedLinear(nn.Module):
    """Linear layer whose second half gates the first: value * gelu(gate)."""

    def __init__(self, channels: int, out_channels: int) -> None:
        super().__init__()
        self.proj = nn.Linear(channels, 2 * out_channels)

    def forward(self, x: Float[Tensor, "*batch channels"]) -> Float[Tensor, "*batch out"]:
        """Half as many channels as the linear layer makes."""
        value, gate = self.proj(x).chunk(2, dim=-1)
        return value * functional.gelu(gate)


class FeedForward(nn.Module):
    """Gated MLP, four times as wide inside."""

    def __init__(self, channels: int, *, widening: int = 4) -> None:
        super().__init__()
        inner = widening * channels
        # The place in the middle is the released code's dropout, whose rate is 0.
        self.net = nn.Sequential(
            GatedLinear(channels, inner), nn.Identity(), nn.Linear(inner, channels)
        )

    def forward(self, x: Float[Tensor, "*batch channels"]) -> Float[Tensor, "*batch channels"]:
        """Not added to `x`."""
        return self.net(x)


class TransformerBlock(nn.Module):
    """Pre-normalised self-attention, cross-attention and MLP, each added to its input."""

    def __init__(self, channels: int, head_channels: int, context_dim: int) -> None:
        super().__init__()
        self.attn1 = Attention(channels, head_channels)
        self.ff = FeedForward(channels)
        self.attn2 = Attention(channels, head_channels, context_dim=context_dim)
        self.norm1 = nn.LayerNorm(channels)
        self.norm2 = nn.LayerNorm(channels)
        self.norm3 = nn.LayerNorm(channels)

    def forward(
        self,
        x: Float[Tensor, "batch cells channels"],
        context: Float[Tensor, "batch tokens dim"],
    ) -> Float[Tensor, "batch cells channels"]:
        """All three in order."""
        x = x + self.attn1(self.norm1(x))
        x = x + self.attn2(self.norm2(x), context)
        return x + self.ff(self.norm3(x))


class GridTransformer(nn.Module):
    """Transformer over the cells of a grid, added to its input."""

    def __init__(
        self, channels: int, head_channels: int, context_dim: int, *, depth: int = 1
    ) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(32, channels, eps=1e-6)
        self.proj_in = nn.Conv3d(channels, channels, 1)
        self.transformer_blocks = nn.ModuleList(
            TransformerBlock(channels, head_channels, context_dim) for _ in range(depth)
        )
        self.proj_out = nn.Conv3d(channels, channels, 1)
        # Starts as the identity, as is usual in diffusion models.
        for parameter in self.proj_out.parameters():
            nn.init.zeros_(parameter)

    def forward(
        self,
        x: Float[Tensor, "batch channels x y z"],
        context: Float[Tensor, "batch tokens dim"],
    ) -> Float[Tensor, "batch channels x y z"]:
        """Cells are tokens in the order x, y, z."""
        cells = self.proj_in(self.norm(x)).flatten(2).transpose(1, 2)
        for block in self.transformer_blocks:
            cells = block(cells, context)
        grid = cells.transpose(1, 2).unflatten(2, x.shape[2:])
        return x + self.proj_out(grid)
