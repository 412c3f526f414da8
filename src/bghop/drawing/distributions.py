"""How numbers of left and right hands are distributed, one small diagram a number."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from bghop.drawing.plots import SIDE_COLORS, figure_of, outline

_BINS = 30


@dataclass(frozen=True, kw_only=True, eq=False)
class Panel:
    """One number of all hands."""

    label: str
    """With its unit."""
    sides: tuple[Float[np.ndarray, "_"], Float[np.ndarray, "_"]]
    """Of left and of right hands; NaN is left out."""
    low: float
    high: float
    """What is outside of the range counts for the class at its end."""


def plot_panels(panels: Sequence[Panel]) -> bytes:
    """Histograms of both sides, in per cent of the hands of a side, as a PNG file."""
    with figure_of((7.2, 2.5)) as (figure, content):
        several = np.atleast_1d(figure.subplots(1, len(panels)))
        for axes, panel in zip(several, panels, strict=True):
            edges = np.linspace(panel.low, panel.high, _BINS + 1)
            for values, color, side in zip(
                panel.sides, SIDE_COLORS, ("left", "right"), strict=True
            ):
                known = values[~np.isnan(values)]
                if not len(known):
                    continue
                counts, _ = np.histogram(np.clip(known, panel.low, panel.high), edges)
                outline(axes, 100 * counts / len(known), edges, color)
                axes.plot([], [], color=color, label=side)
            axes.set(xlim=(panel.low, panel.high))
            axes.set_ylim(0, None)
            axes.locator_params(nbins=4)
            axes.grid(axis="y")
            axes.yaxis.set_major_formatter("{x:.0f} %")
            axes.set_xlabel(panel.label)
        several[0].legend(loc="upper left", handlelength=1.2)
    return content.getvalue()
