"""Where to look from so that the hands are seen, decided from points alone (no rendering)."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from bghop.drawing.scene import Scene

FIELD_OF_VIEW = np.radians(25.0)
_MARGIN = 1.06
_SMALLEST_CELL = 0.006  # metres; of the coarse depth buffer
_DEPTH_SLACK = 0.012  # metres; a point this little behind the foremost one still counts as seen
_NUM_POINTS = 5000
_FROM_BELOW = 0.25


@dataclass(frozen=True, kw_only=True, eq=False)
class View:
    """A camera: looks from `position` at `target`; `up` points up in the picture."""

    position: Float[np.ndarray, "3"]
    target: Float[np.ndarray, "3"]
    up: Float[np.ndarray, "3"]


def choose_views(scene: Scene, num: int = 2) -> list[View]:
    """The `num` views that show both hands best, each from another side than those before.

    Candidates are 12 directions around the vertical (z) at four heights; the one
    from below is taken only where it shows clearly more. Views taken together are
    worth the visible share of the less visible hand, each hand in the view that shows it best; one
    more view is worth what it adds to that, and what it shows by itself. Hidden means behind the
    object or a hand.
    """
    directions = _candidates()
    surface, area = _sparse_surface(*scene.object)
    hands = [hand[0][::2] for hand in scene.hands if hand is not None]
    # Cells so large that several points of the object's surface fall into each.
    cell = max(_SMALLEST_CELL, np.sqrt(4 * area / _NUM_POINTS))
    shares = np.stack([_visibility([surface, *hands], cell, axis) for axis in directions])
    alone = _worth(shares)
    seen = np.zeros(shares.shape[1])
    sameness = np.where(directions[:, 2] < 0, _FROM_BELOW, 0.0)
    views: list[View] = []
    for _ in range(num):
        together = _worth(np.maximum(shares, seen))
        best = int((together + 0.5 * alone - sameness).argmax())
        views.append(fit_view(scene.points(), directions[best]))
        seen = np.maximum(seen, shares[best])
        # Towards the chosen side other views tell less: prefer those 70 to 180 degrees away.
        sameness = sameness + np.clip((directions @ directions[best] - 0.35) / 0.65, 0, 1)
    return views


def fit_view(points: Float[np.ndarray, "n 3"], direction: Float[np.ndarray, "3"]) -> View:
    """The nearest camera in `direction` (unit, towards the camera) that has all points in view."""
    right, up = _screen_axes(direction)
    axes = np.stack([right, up, direction])
    local = points @ axes.T
    middle = (local.min(0) + local.max(0)) / 2
    offsets = local - middle
    reach = np.abs(offsets[:, :2]).max(1) / np.tan(FIELD_OF_VIEW / 2) * _MARGIN + offsets[:, 2]
    target = middle @ axes
    return View(position=target + direction * reach.max(), target=target, up=up)


def _candidates() -> Float[np.ndarray, "view 3"]:
    """Unit directions towards the camera; 35, 10, 65 degrees above the horizon and 25 below."""
    azimuths = np.arange(12) * (np.pi / 6) + 0.2  # not along the axes: boxes should show two sides
    heights = np.radians([35.0, 10.0, 65.0, -25.0])
    height, azimuth = (grid.ravel() for grid in np.meshgrid(heights, azimuths, indexing="ij"))
    flat = np.cos(height)
    return np.stack([flat * np.cos(azimuth), flat * np.sin(azimuth), np.sin(height)], -1)


def _screen_axes(
    direction: Float[np.ndarray, "3"],
) -> tuple[Float[np.ndarray, "3"], Float[np.ndarray, "3"]]:
    """Unit vectors to the right and up in the picture; z is up in the frame."""
    right = np.cross([0.0, 0.0, 1.0], direction)
    if np.linalg.norm(right) < 1e-6:  # straight from above or below
        right = np.array([1.0, 0.0, 0.0])
    right /= np.linalg.norm(right)
    return right, np.cross(direction, right)


def _worth(shares: Float[np.ndarray, "view hand"]) -> Float[np.ndarray, "view"]:
    """The less visible hand counts most; without hands every view is alike."""
    if shares.shape[1] == 0:
        return np.zeros(len(shares))
    return shares.min(1) + 0.3 * shares.mean(1)


def _visibility(
    parts: list[Float[np.ndarray, "_ 3"]], cell: float, direction: Float[np.ndarray, "3"]
) -> Float[np.ndarray, "part"]:
    """Visible share of each part but the first, along one direction in parallel projection."""
    owner = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
    local = np.concatenate(parts) @ np.stack([*_screen_axes(direction), direction]).T
    cells = np.floor((local[:, :2] - local[:, :2].min(0)) / cell).astype(np.int64)
    width, height = cells.max(0) + 1
    flat = cells[:, 0] * height + cells[:, 1]
    front = np.full(width * height, -np.inf)
    np.maximum.at(front, flat, local[:, 2])
    seen = local[:, 2] >= front[flat] - _DEPTH_SLACK
    return np.array([seen[owner == k].mean() for k in range(1, len(parts))])


def _sparse_surface(
    vertices: Float[np.ndarray, "vert 3"], faces: Int[np.ndarray, "face 3"]
) -> tuple[Float[np.ndarray, "n 3"], float]:
    """Points spread over a surface by area (the same at every call), and its area in m2."""
    corners = vertices[faces]
    first, second = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    areas = np.linalg.norm(np.cross(first, second), axis=-1) / 2
    random = np.random.default_rng(0)
    chosen = random.choice(len(faces), size=_NUM_POINTS, p=areas / areas.sum())
    weights = random.dirichlet([1.0, 1.0, 1.0], size=_NUM_POINTS)
    return np.einsum("nk,nkd->nd", weights, corners[chosen]), float(areas.sum())
