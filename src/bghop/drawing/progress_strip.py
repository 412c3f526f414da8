"""How candidates came about: a row for each, a column for each moment (the paper's figure 3)."""

from collections.abc import Sequence
from io import BytesIO

from PIL import Image

from bghop.drawing.contact_sheet import Painter
from bghop.drawing.scene import Scene
from bghop.drawing.strip import draw_strip

_PAPER = (255, 255, 255)


def draw_progress_strip(
    painter: Painter, rows: Sequence[Sequence[Scene]], captions: Sequence[str]
) -> bytes:
    """Moments of several candidates as one PNG file; each row has a camera of its own.

    The camera of a row is chosen for its last moment, as the first ones are of hands anywhere.

    Args:
        painter: Draws the single pictures (`Renderer` or `SoftwareRenderer`).
        rows: Candidates, each with a scene for every moment, first to last; more than eight
            moments are thinned evenly.
        captions: One for each moment.

    Raises:
        ValueError: There is no row, or a row lacks moments.
    """
    if not rows:
        msg = "no candidates to draw: give one row or more"
        raise ValueError(msg)
    strips = [
        Image.open(BytesIO(draw_strip(painter, row, captions, show=-1))).convert("RGB")
        for row in rows
    ]
    width, height = strips[0].size
    sheet = Image.new("RGB", (width, len(strips) * height), _PAPER)
    for index, strip in enumerate(strips):
        sheet.paste(strip, (0, index * height))
    content = BytesIO()
    sheet.save(content, "PNG", compress_level=6)
    return content.getvalue()
