import io

import numpy as np
import pytest
import trimesh
from PIL import Image

from bghop.drawing.scene import OBJECT_COLOR, Scene
from bghop.drawing.software import SoftwareRenderer
from bghop.drawing.strip import MOST_FRAMES, draw_strip, fixed_view, pick_frames
from bghop.drawing.views import FIELD_OF_VIEW


def frame(shift=(0, 0, 0)):
    ball = trimesh.creation.icosphere(subdivisions=1, radius=0.03)
    block = trimesh.creation.box((0.1, 0.1, 0.1))

    def part(mesh, by):
        return np.array(mesh.vertices) + np.array(by), np.array(mesh.faces)

    return Scene(
        object=part(block, shift), hands=(part(ball, (-0.08, 0, 0)), part(ball, (0.08, 0, 0)))
    )


class Recorder:
    """Stands in for a window, and keeps what it was asked for."""

    def __init__(self):
        self.asked = []

    def picture(self, scene, view):
        self.asked.append((scene, view))
        return np.full((60, 60, 3), 200, dtype=np.uint8)


def test_frames_are_drawn_in_order_from_one_camera():
    painter, frames = Recorder(), [frame((0, 0, -0.01 * k)) for k in range(6)]
    png = draw_strip(painter, frames, [str(k) for k in range(6)])
    assert [scene for scene, _ in painter.asked] == frames
    assert len({id(view) for _, view in painter.asked}) == 1
    assert Image.open(io.BytesIO(png)).width == 6 * 60


@pytest.mark.parametrize("direction", [(0, 0, -1), (0, 1, 0), (-1, 0, 0)])
def test_the_camera_sees_everything_and_looks_across_the_motion(direction):
    frames = [frame(np.array(direction) * 0.05 * k) for k in range(5)]
    view = fixed_view(frames)
    sight = (view.target - view.position) / np.linalg.norm(view.target - view.position)
    assert abs(sight @ np.array(direction)) < 0.8
    points = np.concatenate([each.points() for each in frames]) - view.position
    depth = points @ sight
    aside = np.cross(sight, view.up)
    aside /= np.linalg.norm(aside)
    reach = np.abs(np.stack([points @ aside, points @ np.cross(aside, sight)])) / depth
    assert reach.max() <= np.tan(FIELD_OF_VIEW / 2)
    assert reach.max() > 0.85 * np.tan(FIELD_OF_VIEW / 2)


def test_a_falling_object_falls_in_the_picture():
    frames = [frame((0, 0, -0.06 * k)) for k in range(3)]
    png = draw_strip(SoftwareRenderer(80), frames, ["closed", "0.1 s", "0.2 s"])
    pixels = np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(float)[:80]
    wanted = np.array(OBJECT_COLOR) / np.linalg.norm(OBJECT_COLOR)
    cosine = pixels @ wanted / np.linalg.norm(pixels, axis=-1)
    body = (cosine > 0.999) & (pixels.max(-1) < 235) & (np.ptp(pixels, axis=-1) > 5)
    heights = [np.argwhere(body[:, 80 * k : 80 * (k + 1)])[:, 0].mean() for k in range(3)]
    assert heights[0] + 8 < heights[1] < heights[2] - 8


@pytest.mark.parametrize(("num", "kept"), [(1, [0]), (3, [0, 1, 2]), (15, list(range(0, 15, 2)))])
def test_long_recordings_are_thinned_evenly_with_both_ends(num, kept):
    assert pick_frames(num) == kept


@pytest.mark.parametrize("num", [9, 10, 100, 1001])
def test_thinned_frames_are_all_different(num):
    kept = pick_frames(num)
    assert len(set(kept)) == MOST_FRAMES
    assert (kept[0], kept[-1]) == (0, num - 1)


def test_columns_wrap_and_captions_are_seen():
    frames = [frame() for _ in range(6)]
    strips = [draw_strip(Recorder(), frames, [words] * 6, columns=3) for words in ("", "closed")]
    one, two = (np.asarray(Image.open(io.BytesIO(png)).convert("L")) for png in strips)
    assert one.shape == two.shape
    assert one.shape[1] == 180
    assert (two < 100).sum() > (one < 100).sum()
    # Two rows, so there are words in the lower half, too.
    assert (two[two.shape[0] // 2 :] < 100).sum() > 20


def test_every_frame_needs_its_caption():
    with pytest.raises(ValueError, match="2 frames and 1 captions: give one caption"):
        draw_strip(Recorder(), [frame(), frame()], ["closed"])
    with pytest.raises(ValueError, match="0 frames"):
        draw_strip(Recorder(), [], [])
