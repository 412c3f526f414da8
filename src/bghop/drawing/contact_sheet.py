"""The contact sheet: every grasp in two views with its key numbers, in one picture."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw, ImageFont

from bghop.drawing.scene import HAND_COLORS, Scene
from bghop.drawing.views import View, choose_views

MOST_CELLS = 48
"""A sheet shows the best grasps up to this number."""
COLUMNS = 4
_VIEWS = 2
_LABEL, _TITLE, _GAP = 46, 64, 12
_INK, _SOFT_INK = (38, 42, 48), (110, 116, 124)
_PAPER, _TABLE = (255, 255, 255), (238, 240, 243)


@runtime_checkable
class Painter(Protocol):
    """Draws square pictures of scenes: `Renderer`, or `SoftwareRenderer` without OpenGL."""

    def picture(self, scene: Scene, view: View) -> UInt8[np.ndarray, "size size 3"]:
        """One picture."""
        ...


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One grasp of a sheet."""

    scene: Scene
    heading: str
    """Short and bold, such as the rank."""
    caption: str
    """One line of key numbers."""


def draw_contact_sheet(
    renderer: Painter, cells: list[Cell], *, title: str, subtitle: str, columns: int = COLUMNS
) -> Image.Image:
    """A grid of cells under a title row; each cell has two views chosen to show both hands.

    Args:
        renderer: draws the cells.
        cells: at most `MOST_CELLS` are shown.
        title: bold.
        subtitle: beside it.
        columns: cells side by side.
    """
    tiles = [_tile(renderer, cell) for cell in cells[:MOST_CELLS]]
    columns = min(columns, len(tiles))
    rows = -(-len(tiles) // columns)
    width, height = tiles[0].size
    sheet = Image.new(
        "RGB",
        (columns * (width + _GAP) + _GAP, _TITLE + rows * (height + _GAP)),
        _TABLE,
    )
    _draw_title(sheet, title, subtitle)
    for index, tile in enumerate(tiles):
        row, column = divmod(index, columns)
        sheet.paste(tile, (_GAP + column * (width + _GAP), _TITLE + row * (height + _GAP)))
    return sheet


def _tile(renderer: Painter, cell: Cell) -> Image.Image:
    views = choose_views(cell.scene, _VIEWS)
    pixels = np.concatenate([renderer.picture(cell.scene, view) for view in views], axis=1)
    tile = Image.new("RGB", (pixels.shape[1], pixels.shape[0] + _LABEL), _PAPER)
    tile.paste(Image.fromarray(pixels), (0, _LABEL))
    draw = ImageDraw.Draw(tile)
    draw.text((12, 10), cell.heading, fill=_INK, font=ImageFont.load_default(23))
    indent = 12 + draw.textlength(cell.heading, font=ImageFont.load_default(23)) + 14
    draw.text((indent, 15), cell.caption, fill=_SOFT_INK, font=ImageFont.load_default(16))
    return tile


def _draw_title(sheet: Image.Image, title: str, subtitle: str) -> None:
    draw = ImageDraw.Draw(sheet)
    draw.text((_GAP + 8, 14), title, fill=_INK, font=ImageFont.load_default(30))
    start = _GAP + 8 + draw.textlength(title, font=ImageFont.load_default(30)) + 20
    draw.text((start, 23), subtitle, fill=_SOFT_INK, font=ImageFont.load_default(20))
    # What the two colours mean, at the right end where nothing else is.
    x = sheet.width - 250
    for name, color in zip(("left hand", "right hand"), HAND_COLORS, strict=True):
        draw.rounded_rectangle((x, 26, x + 18, 44), 4, fill=_rgb(color))
        draw.text((x + 25, 24), name, fill=_SOFT_INK, font=ImageFont.load_default(18))
        x += 122


def _rgb(color: tuple[float, ...]) -> tuple[int, ...]:
    return tuple(round(255 * part) for part in color)
