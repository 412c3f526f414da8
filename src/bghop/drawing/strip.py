"""An image strip: one hold or one fall, frame by frame, from a camera that does not move."""

from collections.abc import Sequence
from io import BytesIO
from textwrap import wrap

import numpy as np
from jaxtyping import Float, Int
from PIL import Image, ImageDraw, ImageFont

from bghop.drawing.contact_sheet import Painter
from bghop.drawing.scene import Scene
from bghop.drawing.views import View, choose_views, fit_view

MOST_FRAMES = 8
"""A strip shows this many frames of a recording, the first and the last among them."""
_NUM_VIEWS = 4
_ALONG_SIGHT = 0.6  # cosine; motion nearer to the line of sight than this is hard to see
_INK, _SOFT_INK = (31, 35, 40), (92, 100, 112)
_PAPER, _RULE = (255, 255, 255), (217, 221, 227)
_LINES = 2


def draw_strip(
    painter: Painter,
    frames: Sequence[Scene],
    captions: Sequence[str],
    *,
    columns: int = MOST_FRAMES,
    show: int = 0,
) -> bytes:
    """Frames in a row with a short caption below each, as a PNG file.

    The camera is chosen to show both hands in one frame and to look across the object's motion; it
    has the object and the hands of all frames in view.

    Args:
        painter: Draws the single pictures (`Renderer` or `SoftwareRenderer`).
        frames: At least one; more than eight are thinned evenly, first and last kept.
        captions: One per frame, of at most two lines.
        columns: Frames in a row.
        show: Number of the frame whose hands the camera has to show; -1 is the last.

    Raises:
        ValueError: There is no frame, or not one caption for each.
    """
    if not frames or len(frames) != len(captions):
        msg = f"{len(frames)} frames and {len(captions)} captions: give one caption for each frame"
        raise ValueError(msg)
    kept = pick_frames(len(frames))
    view = fixed_view([frames[k] for k in kept], show)
    tiles = [_tile(painter.picture(frames[k], view), captions[k]) for k in kept]
    columns = min(columns, len(tiles))
    width, height = tiles[0].size
    rows = -(-len(tiles) // columns)
    strip = Image.new("RGB", (columns * width, rows * height), _PAPER)
    draw = ImageDraw.Draw(strip)
    for index, tile in enumerate(tiles):
        row, column = divmod(index, columns)
        strip.paste(tile, (column * width, row * height))
        if column > 0:
            x = column * width
            draw.line((x, row * height + 8, x, (row + 1) * height - 8), fill=_RULE)
    content = BytesIO()
    strip.save(content, "PNG", compress_level=6)
    return content.getvalue()


def pick_frames(num: int, most: int = MOST_FRAMES) -> list[int]:
    """Indices of at most `most` of `num` frames, evenly spread, first and last among them."""
    spread: Int[np.ndarray, "kept"] = np.rint(np.linspace(0, num - 1, min(num, most))).astype(int)
    return spread.tolist()


def fixed_view(frames: Sequence[Scene], show: int = 0) -> View:
    """One camera for all frames: sees the hands of one of them, looks across the motion."""
    candidates = choose_views(frames[show], _NUM_VIEWS)
    sight = np.stack([_direction(view) for view in candidates])
    motion = _largest_motion(frames)
    along = np.abs(sight @ motion)
    # Candidates come best first, by what they show of the hands.
    good = np.flatnonzero(along < _ALONG_SIGHT)
    chosen = good[0] if len(good) else along.argmin()
    points = np.concatenate([frame.points() for frame in frames])
    return fit_view(points, sight[chosen])


def _largest_motion(frames: Sequence[Scene]) -> Float[np.ndarray, "3"]:
    """Unit direction in which the object's middle gets farthest; zero if it stays."""
    middles = np.stack([frame.object[0].mean(0) for frame in frames])
    moves = middles - middles[0]
    lengths = np.linalg.norm(moves, axis=-1)
    farthest = int(lengths.argmax())
    return moves[farthest] / lengths[farthest] if lengths[farthest] > 1e-3 else np.zeros(3)


def _direction(view: View) -> Float[np.ndarray, "3"]:
    toward = view.position - view.target
    return toward / np.linalg.norm(toward)


def _tile(pixels: np.ndarray, caption: str) -> Image.Image:
    picture = Image.fromarray(pixels)
    size = max(9, round(picture.width / 17))
    line = round(1.25 * size)
    tile = Image.new("RGB", (picture.width, picture.height + _LINES * line + size // 2), _PAPER)
    tile.paste(picture, (0, 0))
    draw = ImageDraw.Draw(tile)
    font = ImageFont.load_default(size)
    room = int(0.94 * picture.width / (0.5 * size))
    lines = [each for part in caption.splitlines() for each in wrap(part, room)][:_LINES]
    for index, words in enumerate(lines):
        left = (picture.width - draw.textlength(words, font=font)) / 2
        ink = _INK if index == 0 else _SOFT_INK
        draw.text((left, picture.height + index * line), words, fill=ink, font=font)
    return tile
