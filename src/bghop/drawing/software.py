"""Pictures without OpenGL: a depth buffer in numpy, for machines where VTK cannot open a window.

Plainer than `Renderer` (no ambient occlusion) and some times slower, but needs nothing.
"""

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

from bghop.drawing.render import BACKGROUND
from bghop.drawing.scene import HAND_COLORS, OBJECT_COLOR, Scene, Triangles
from bghop.drawing.views import FIELD_OF_VIEW, View

_SUPERSAMPLING = 1.25
_MOST_PIXELS = 1_000_000  # candidates examined at a time: bounds the memory
# (direction towards the light in camera axes: right, up, towards the camera; strength)
_LIGHTS = (((-1.0, 1.4, 1.6), 0.62), ((1.6, 0.3, 0.8), 0.22))
_AMBIENT = 0.30


class SoftwareRenderer:
    """Draws like `Renderer`, one picture at a time."""

    def __init__(self, size: int = 320) -> None:
        """`size` is the edge in pixels of the square pictures."""
        self._size = size

    def picture(self, scene: Scene, view: View) -> UInt8[np.ndarray, "size size 3"]:
        """One picture of a scene."""
        edge = round(self._size * _SUPERSAMPLING)
        canvas = _Canvas(edge, view)
        canvas.draw(scene.object, OBJECT_COLOR)
        for hand, color in zip(scene.hands, HAND_COLORS, strict=True):
            if hand is not None:
                canvas.draw(hand, color)
        pixels = np.rint(255 * np.clip(canvas.colors, 0, 1)).astype(np.uint8)
        picture = Image.fromarray(pixels.reshape(edge, edge, 3))
        return np.asarray(picture.resize((self._size, self._size), Image.Resampling.BOX))

    def close(self) -> None:
        """Nothing to free."""


class _Canvas:
    """Colours and inverse depths (0 is infinitely far) of a square of pixels."""

    def __init__(self, edge: int, view: View) -> None:
        self.edge = edge
        self.view = view
        self.colors = np.tile(np.array(BACKGROUND, dtype=np.float32), (edge * edge, 1))
        self.nearness = np.zeros(edge * edge)
        backward = view.position - view.target
        backward = backward / np.linalg.norm(backward)
        right = np.cross(view.up, backward)
        right /= np.linalg.norm(right)
        self.axes = np.stack([right, np.cross(backward, right), backward])

    def draw(self, part: Triangles, color: tuple[float, ...]) -> None:
        vertices, faces = part
        local = (vertices - self.view.position) @ self.axes.T
        focal = self.edge / 2 / np.tan(FIELD_OF_VIEW / 2)
        nearness = 1 / np.maximum(-local[:, 2], 1e-6)
        spots = self.edge / 2 + focal * nearness[:, None] * local[:, :2] * np.array([1.0, -1.0])
        shades = _brightness(vertices, faces, self.axes)
        corners = spots[faces]
        low = np.clip(np.floor(corners.min(1)), 0, self.edge - 1).astype(int)
        high = np.clip(np.ceil(corners.max(1)), 0, self.edge - 1).astype(int)
        span = high - low + 1
        # Chunks of faces such that each has about the same number of candidate pixels.
        chunk = np.cumsum(span.prod(1)) // _MOST_PIXELS
        for number in np.unique(chunk):
            of_chunk = np.flatnonzero(chunk == number)
            self._fill(
                corners[of_chunk], nearness[faces[of_chunk]], shades[faces[of_chunk]],
                low[of_chunk], span[of_chunk], np.array(color),
            )  # fmt: skip

    def _fill(
        self,
        corners: Float[np.ndarray, "face 3 2"],
        nearness: Float[np.ndarray, "face 3"],
        shades: Float[np.ndarray, "face 3"],
        low: np.ndarray,
        span: np.ndarray,
        color: Float[np.ndarray, "3"],
    ) -> None:
        counts = span.prod(1)
        owner = np.repeat(np.arange(len(counts)), counts)
        offset = np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts)
        x = low[owner, 0] + offset % span[owner, 0]
        y = low[owner, 1] + offset // span[owner, 0]
        spot = np.stack([x + 0.5, y + 0.5], -1)
        a, b, c = (corners[owner, k] for k in range(3))
        area = _cross(b - a, c - a)
        area = np.where(np.abs(area) < 1e-9, np.nan, area)  # seen edge-on: covers nothing
        weights = np.stack([_cross(b - spot, c - spot), _cross(c - spot, a - spot)], -1)
        weights = weights / area[:, None]
        weights = np.concatenate([weights, 1 - weights.sum(-1, keepdims=True)], -1)
        inside = (weights >= 0).all(-1)
        owner, weights = owner[inside], weights[inside]
        pixel = y[inside] * self.edge + x[inside]
        near = (weights * nearness[owner]).sum(-1)
        np.maximum.at(self.nearness, pixel, near)
        front = near >= self.nearness[pixel]
        shade = (weights[front] * shades[owner[front]]).sum(-1)
        self.colors[pixel[front]] = shade[:, None] * color


def _brightness(
    vertices: Float[np.ndarray, "vert 3"], faces: np.ndarray, axes: Float[np.ndarray, "3 3"]
) -> Float[np.ndarray, "vert"]:
    """Light at each vertex from averaged normals; both sides of a face are lit."""
    corners = vertices[faces]
    areas = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals = np.zeros_like(vertices, dtype=np.float64)
    for k in range(3):
        np.add.at(normals, faces[:, k], areas)
    normals /= np.maximum(np.linalg.norm(normals, axis=-1, keepdims=True), 1e-30)
    seen = normals @ axes.T
    seen = np.where(seen[:, 2:] < 0, -seen, seen)
    total = np.full(len(vertices), _AMBIENT)
    for direction, strength in _LIGHTS:
        unit = np.array(direction) / np.linalg.norm(direction)
        total += strength * np.maximum(seen @ unit, 0)
    return total


def _cross(a: Float[np.ndarray, "n 2"], b: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, "n"]:
    return a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]
