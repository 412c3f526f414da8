"""Pictures of grasps that failed, each with words that say why."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from textwrap import wrap
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from bghop.drawing.contact_sheet import Painter
from bghop.drawing.scene import Scene
from bghop.drawing.views import choose_views

_INK, _ALARM = (31, 35, 40), (170, 50, 15)
_PAPER, _TABLE = (255, 255, 255), (238, 240, 243)
_VIEWS = 2
_GAP, _INSET, _LINES = 12, 14, 3


@dataclass(frozen=True, kw_only=True)
class Failure:
    """One grasp of the gallery."""

    scene: Scene
    heading: str
    """Object, method, rank."""
    reason: str
    """Why it fails; see `failure_reason`."""


def failure_reason(row: Mapping[str, Any]) -> str:
    """Why one grasp of a benchmark fails, in words; empty if it does not.

    Reads `faults`, `hold` and `hold_` with `directions`, `moved_cm`, `turned_deg`, `closing_cm`.
    """
    words = []
    if row["hold"] is not None and not row["hold"]:
        words.append(f"held in {row['hold_directions']} of 6 directions")
        words += [
            form.format(row[name])
            for name, form in (
                ("hold_moved_cm", "moved {:.1f} cm"),
                ("hold_turned_deg", "turned {:.0f}°"),
            )
            if row[name] is not None
        ]
        if row["hold_closing_cm"] is not None and row["hold_closing_cm"] >= 1:
            words.append(f"pushed {row['hold_closing_cm']:.1f} cm by closing")
    return "; ".join(part for part in (", ".join(words), row["faults"]) if part)


def draw_gallery(
    painter: Painter, failures: Sequence[Failure], *, title: str, columns: int = 3
) -> tuple[bytes, tuple[bytes, ...]]:
    """All failures in one picture with their words, and each by itself without; PNG files.

    Args:
        painter: Draws the single pictures (`Renderer` or `SoftwareRenderer`).
        failures: At least one; drawn in this order, row by row.
        title: Above the picture.
        columns: Failures side by side.

    Returns:
        The picture of all, and one for each failure (two sides of the grasp, twice as wide as
        high).
    """
    pairs = [_pair(painter, failure.scene) for failure in failures]
    cards = [_card(pair, failure) for pair, failure in zip(pairs, failures, strict=True)]
    columns = min(columns, len(cards))
    rows = -(-len(cards) // columns)
    width, height = cards[0].size
    top = 24 + round(width / 16)
    sheet = Image.new(
        "RGB", (_GAP + columns * (width + _GAP), top + rows * (height + _GAP)), _TABLE
    )
    font = ImageFont.load_default(round(width / 22))
    ImageDraw.Draw(sheet).text((_GAP + 4, 12), title, fill=_INK, font=font)
    for index, card in enumerate(cards):
        row, column = divmod(index, columns)
        sheet.paste(card, (_GAP + column * (width + _GAP), top + row * (height + _GAP)))
    return _png(sheet), tuple(_png(pair) for pair in pairs)


def _card(pair: Image.Image, failure: Failure) -> Image.Image:
    """Two views over a heading and at most three lines of words."""
    size = max(9, round(pair.width / 34))  # letters keep their proportion to the picture
    small, bold = ImageFont.load_default(0.86 * size), ImageFont.load_default(1.1 * size)
    line = round(1.25 * size)
    card = Image.new("RGB", (pair.width, pair.height + round(2.1 * size) + _LINES * line), _PAPER)
    card.paste(pair, (0, 0))
    draw = ImageDraw.Draw(card)
    draw.text((_INSET, pair.height + 2), failure.heading, fill=_INK, font=bold)
    room = int((card.width - 2 * _INSET) / (0.86 * size * 0.52))  # letters, by their mean width
    lines = wrap(failure.reason, room, max_lines=_LINES, placeholder=" ...")
    for index, words in enumerate(lines):
        place = (_INSET, pair.height + round(1.75 * size) + index * line)
        draw.text(place, words, fill=_ALARM, font=small)
    return card


def _pair(painter: Painter, scene: Scene) -> Image.Image:
    views = choose_views(scene, _VIEWS)
    pictures = [painter.picture(scene, view) for view in views]
    return Image.fromarray(np.concatenate(pictures, axis=1))


def _png(picture: Image.Image) -> bytes:
    content = BytesIO()
    picture.save(content, "PNG", compress_level=6)
    return content.getvalue()
