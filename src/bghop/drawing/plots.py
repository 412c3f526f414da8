"""Diagrams of a benchmark as PNG files. Plain arrays in; matplotlib is imported on first use.

Colours are the Okabe-Ito set (Okabe and Ito 2008), told apart with any kind of colour vision, and
every series differs in shape as well.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np
from jaxtyping import Float

from bghop.errors import DrawingError

_INK, _SOFT, _RULE = "#1f2328", "#667080", "#d9dde3"
_BLUE, _ORANGE, _GREEN, _PURPLE, _BLACK = "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#444b54"
SIDE_COLORS = (_BLUE, _ORANGE)
"""Left and right hands."""
_SERIES = (_BLUE, _ORANGE, _GREEN, _PURPLE, _BLACK)
_MARKERS = "osD^vP"
_WIDTH = 7.2  # inches; at 160 dots an inch wide enough for print
_STYLE = {
    "font.family": "DejaVu Sans", "font.size": 9.5, "text.color": _INK, "axes.labelcolor": _SOFT,
    "axes.edgecolor": _RULE, "axes.linewidth": 0.8, "axes.spines.top": False,
    "axes.spines.right": False, "axes.axisbelow": True, "xtick.color": _SOFT, "ytick.color": _SOFT,
    "xtick.major.size": 0, "ytick.major.size": 0, "xtick.major.pad": 6, "ytick.major.pad": 6,
    "grid.color": _RULE, "grid.linewidth": 0.6, "legend.frameon": False,
    "legend.fontsize": 9, "figure.facecolor": "white", "savefig.dpi": 160,
    "figure.constrained_layout.use": True,
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Point:
    """One method in the diagram of time against quality; shares are 0 to 1."""

    name: str
    seconds: float
    """Per grasp."""
    hold: float
    """Mean candidate."""
    low: float | None
    high: float | None
    best: float | None
    """Best-ranked grasps."""


def plot_hold_by_object(
    names: Sequence[str],
    mean: Float[np.ndarray, "object"],
    best: Float[np.ndarray, "object"],
    one_hand: Float[np.ndarray, "object"],
    *,
    title: str = "",
) -> bytes:
    """Hold success of each object, easiest first, as a PNG file.

    Args:
        names: One per object.
        mean: Share of all candidates that hold.
        best: Share of best-ranked grasps that hold.
        one_hand: Share of all candidates that hold with one of the hands removed.
        title: Above the diagram.

    NaN leaves a mark out.
    """
    order = np.lexsort((np.arange(len(names)), -np.nan_to_num(best), -np.nan_to_num(mean)))
    with figure_of((_WIDTH, 1.05 + 0.27 * len(names))) as (figure, content):
        axes = figure.subplots()
        rows = np.arange(len(names))
        axes.barh(rows, 100 * mean[order], 0.66, color="#b9d4e8", label="all candidates")
        axes.barh(rows, 100 * one_hand[order], 0.26, color=_ORANGE,
                  label="all candidates, either hand alone")  # fmt: skip
        axes.plot(100 * best[order], rows, "D", color=_BLUE, markersize=5.5, clip_on=False,
                  label="best-ranked", zorder=5)  # fmt: skip
        axes.set_yticks(rows, [names[k] for k in order], color=_INK)
        axes.tick_params(axis="y", pad=9)  # room for a mark at zero
        axes.set_ylim(len(names) - 0.4, -0.6)
        axes.set_xlim(0, 100)
        axes.set_xticks([0, 25, 50, 75, 100], ["0 %", "25 %", "50 %", "75 %", "100 %"])
        axes.grid(axis="x")
        axes.spines["left"].set_visible(False)
        _title(axes, title)
        handles, labels = axes.get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=3, handlelength=1.2)
    return content.getvalue()


def plot_left_right(
    pairs: Mapping[str, tuple[Float[np.ndarray, "_"], Float[np.ndarray, "_"]]],
    *,
    title: str = "",
) -> bytes:
    """Left hand against right hand, one square diagram for each metric, as a PNG file.

    Args:
        pairs: Values of the left and of the right hand, by the label of the metric with its unit.
        title: Above the diagrams.

    Points on the diagonal are grasps whose hands are alike; the cross is the mean.
    """
    with figure_of((_WIDTH, (0.45 if title else 0.1) + _WIDTH / max(2, len(pairs)))) as (
        figure,
        content,
    ):
        several = np.atleast_1d(figure.subplots(1, len(pairs)))
        for axes, (label, pair) in zip(several, pairs.items(), strict=True):
            known = ~np.isnan(np.add(*pair))
            left, right = (values[known] for values in pair)
            most = max(float(np.max([*left, *right], initial=0.0)) * 1.04, 1e-9)
            axes.plot([0, most], [0, most], color=_SOFT, linewidth=0.8)
            axes.scatter(left, right, s=14, color=_BLUE, alpha=0.45, linewidths=0)
            if len(left):
                axes.plot(left.mean(), right.mean(), "P", color=_ORANGE, markersize=10,
                          markeredgecolor="white", label="mean")  # fmt: skip
                axes.legend(loc="upper left", handletextpad=0.2, frameon=True, edgecolor="white")
            axes.set(xlim=(0, most), ylim=(0, most), aspect="equal")
            axes.locator_params(nbins=5)
            axes.grid()
            axes.set_xlabel(f"left hand: {label}")
            axes.set_ylabel(f"right hand: {label}")
        if title:
            figure.suptitle(title, x=0.01, ha="left", fontsize=11.5, fontweight="bold")
    return content.getvalue()


def plot_time_quality(points: Sequence[Point], *, title: str = "") -> bytes:
    """Seconds per grasp against hold success, one point per method, as a PNG file.

    Filled: all candidates with their interval; hollow: the best-ranked grasps. Colours follow the
    order given.
    """
    with figure_of((_WIDTH, 3.9)) as (figure, content):
        axes = figure.subplots()
        # Points of one method with other numbers of steps (`optimize@30`) are joined.
        for family in dict.fromkeys(point.name.partition("@")[0] for point in points):
            joined = sorted((point.seconds, 100 * point.hold) for point in points
                            if point.name.partition("@")[0] == family)  # fmt: skip
            axes.plot(*zip(*joined, strict=True), color=_RULE, linewidth=1.4, zorder=1)
        most = 1.28 * max((point.seconds for point in points), default=1.0) or 1.0
        places = _label_places(points, most)
        for index, point in enumerate(points):
            color, marker = _SERIES[index % len(_SERIES)], _MARKERS[index % len(_MARKERS)]
            if point.low is not None and point.high is not None:
                axes.plot([point.seconds] * 2, [100 * point.low, 100 * point.high], color=color,
                          linewidth=1.6, solid_capstyle="round")  # fmt: skip
            axes.plot(point.seconds, 100 * point.hold, marker, color=color, markersize=8,
                      markeredgecolor="white", zorder=4)  # fmt: skip
            if point.best is not None:
                axes.plot(point.seconds, 100 * point.best, marker, color=color, markersize=8,
                          markerfacecolor="white", markeredgewidth=1.5, zorder=3,
                          clip_on=False)  # fmt: skip
            axes.annotate(point.name, places[index], (0, -9), ha="center", va="top", zorder=6,
                          textcoords="offset points", color=color, fontweight="bold")  # fmt: skip
        axes.set(xlim=(0, most), ylim=(0, 102))
        axes.set_yticks([0, 25, 50, 75, 100], ["0 %", "25 %", "50 %", "75 %", "100 %"])
        axes.grid(axis="y")
        axes.set_xlabel("seconds per grasp (synthesis)")
        axes.set_ylabel("grasps that hold")
        for face, label in ((_SOFT, "all candidates"), ("white", "best-ranked")):
            axes.plot([], [], "o", color=_SOFT, markerfacecolor=face, markersize=7, label=label)
        axes.legend(loc="lower right", ncols=2, handletextpad=0.2)
        _title(axes, title)
    return content.getvalue()


def plot_depth_histogram(
    depths_mm: Mapping[str, Float[np.ndarray, "_"]], *, limit_mm: float | None = None,
    title: str = "",
) -> bytes:  # fmt: skip
    """How deep the deeper hand goes into the object, one diagram per method, as a PNG file.

    Args:
        depths_mm: One value per grasp, by method; NaN is left out.
        limit_mm: Where a grasp stops being good, drawn as a line.
        title: Above the diagram.

    The last class also counts everything deeper.
    """
    known = {name: values[~np.isnan(values)] for name, values in depths_mm.items()}
    together = np.concatenate([np.zeros(1), *known.values()])
    last = max(1.5 * (limit_mm or 0.0), min(float(np.quantile(together, 0.99)), 30.0), 1.0)
    edges = np.linspace(0, last, 25)
    shares = [
        100 * np.histogram(np.minimum(values, last), edges)[0] / max(1, len(values))
        for values in known.values()
    ]
    highest = max((float(each.max()) for each in shares), default=0.0) or 1.0
    with figure_of((_WIDTH, 0.9 + 0.95 * len(known))) as (figure, content):
        several = figure.subplots(len(known), 1, sharex=True, sharey=True, squeeze=False)[:, 0]
        for index, (axes, name) in enumerate(zip(several, known, strict=True)):
            color = _SERIES[index % len(_SERIES)]
            outline(axes, shares[index], edges, color)
            axes.annotate(name, (1, 1), (-4, -10), xycoords="axes fraction", color=color,
                          textcoords="offset points", ha="right", va="top",
                          fontweight="bold")  # fmt: skip
            axes.set(xlim=(0, last), ylim=(0, 1.1 * highest))
            axes.grid(axis="y")
            axes.locator_params(axis="y", nbins=3)
            axes.yaxis.set_major_formatter("{x:.0f} %")
            if limit_mm is not None:
                axes.axvline(limit_mm, color=_SOFT, linewidth=1.0, linestyle=(0, (4, 3)))
        if limit_mm is not None:
            several[0].annotate("good below", (limit_mm, 1), (-5, -4), ha="right", va="top",
                                color=_SOFT, xycoords=("data", "axes fraction"),
                                textcoords="offset points")  # fmt: skip
        several[-1].set_xlabel("depth of the deeper hand, mm (last class: and more)")
        _title(several[0], title)
    return content.getvalue()


def outline(
    axes: Any, shares: Float[np.ndarray, "bin"], edges: Float[np.ndarray, "edge"], color: str
) -> None:
    """A histogram as a line with a pale area below."""
    axes.stairs(shares, edges, color=color, linewidth=1.4)
    axes.stairs(shares, edges, color=color, alpha=0.22, fill=True)


def _label_places(points: Sequence[Point], most: float) -> list[tuple[float, float]]:
    """Where names stand: below their interval, inside the diagram, and not on each other."""
    height, letter = 7.0, 0.017 * most  # of a name, in the units of the axes
    taken: list[tuple[float, float, float]] = []
    for point in points:
        half = letter * len(point.name) / 2
        x = min(max(point.seconds, half), most - half)
        y = 100 * (point.hold if point.low is None else point.low)
        for other_x, other_y, other_half in sorted(taken, key=lambda each: -each[1]):
            if abs(x - other_x) < half + other_half and abs(y - other_y) < height:
                y = other_y - height
        taken.append((x, y, half))
    return [(x, y) for x, y, _ in taken]


def _title(axes: Any, title: str) -> None:
    if title:
        axes.set_title(title, loc="left", fontsize=11.5, fontweight="bold", pad=10)


@contextmanager
def figure_of(size: tuple[float, float]) -> Iterator[tuple[Any, BytesIO]]:
    """A figure, and the file that it is saved to at the end; no state of matplotlib is touched."""
    try:
        from matplotlib import rc_context
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        msg = "diagrams need matplotlib: pip install 'bghop[benchmark]'"
        raise DrawingError(msg) from error
    content = BytesIO()
    style: Any = _STYLE  # its type names every setting of matplotlib
    with rc_context(style):
        figure = Figure(figsize=size)
        FigureCanvasAgg(figure)
        yield figure, content
        # Without a version inside, equal numbers give equal files.
        figure.savefig(content, format="png", metadata={"Software": None})
