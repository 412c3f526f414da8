"""Draw hands to look at: random poses inside the limits, named postures, regions, capsules.

    python scripts/draw_hand_sheet.py random --out sheet.png [--num 24] [--seed 0]
    python scripts/draw_hand_sheet.py named|regions|capsules|shapes --out sheet.png

Each cell shows one pose from the palm side (left hand, right hand) above the same two hands from
the back. Needs no display.
"""

import argparse
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyvista as pv
import torch

from bghop.hands.model import HandModel, HandParameters
from bghop.hands.open_hand import load_open_hand

SKIN, PALM = "#e3b79b", "#8fbf7f"
PADS = ("#d1495b", "#edae49", "#30638e", "#00798c", "#7b4ea3")
CELL = 0.17  # metres of paper per hand

# Bend as a fraction of the way from rest to the upper limit (negative: to the lower one), for the
# base, middle and end joints: thumb, then fingers; then the thumb base's splay and twist fraction.
NAMED: dict[str, tuple[tuple[float, float, float], tuple[float, float, float], float, float]] = {
    "rest": ((0, 0, 0), (0, 0, 0), 0, 0),
    "flat": ((-0.7, -0.4, -0.4), (-0.55, -1, -0.8), -0.8, 0),
    "fist": ((0.7, 0.7, 0.7), (0.7, 0.7, 0.7), 0, 0),
    "full fist": ((1, 1, 0.6), (1, 1, 1), 0.3, -1),
    "cylinder": ((0.5, 0.3, 0.3), (0.45, 0.5, 0.4), 0.8, -0.5),
    "pinch": ((0.6, 0.3, 0.3), (0.55, 0.35, 0.25), 0.7, -1),
    "claw": ((0, 0.5, 0.9), (-0.5, 0.9, 0.9), 0.5, 0),
    "thumb across": ((1, 0.6, 0.2), (-0.3, 0, 0), 0, -1),
    "thumb away": ((-1, -0.5, -0.5), (0, 0, 0), 1, 1),
    "thumb splayed": ((0, 0, 0), (-0.3, 0, 0), 1, 0),
    "thumb adducted": ((0, 0, 0), (-0.3, 0, 0), -1, 0),
    "hook": ((0, 0, 0), (-0.3, 1, 0.8), 0, 0),
}


def named_angles(model: HandModel, name: str) -> torch.Tensor:
    """Anatomical angles [15, 3] of a posture."""
    thumb, fingers, splay, twist = NAMED[name]
    low, high = model.anatomy.limits.unbind(-1)
    share = torch.zeros(15, 3)
    share[:, 0] = torch.tensor([*thumb, *fingers * 4])
    share[0, 1:] = torch.tensor([splay, twist])
    return torch.where(share >= 0, share * high, -share * low)


def hands_of(model: HandModel, angles: torch.Tensor) -> HandParameters:
    """Both hands in the same posture, [n, 15, 3] -> n pairs."""
    rest = model.rest_parameters(len(angles))
    return replace(rest, pose=model.pose_from_angles(angles[:, None].expand(-1, 2, 15, 3)))


def to_paper(points: np.ndarray, *, back: bool) -> np.ndarray:
    """Wrist-frame points seen from the palm (or the back), fingers up; z to the viewer."""
    x, y, z = points[..., 0], points[..., 1], points[..., 2]
    # Fingers of the left hand point along +x, of the right one along -x: the caller unifies them.
    return np.stack([z, x, y], -1) if back else np.stack([-z, x, -y], -1)


def draw(
    model: HandModel, hands: HandParameters, out: Path, *, paint: str, titles: list[str]
) -> None:
    """Cells of two by two hands in one picture."""
    posed = model.pose_hands(hands)
    num = len(titles)
    columns = math.ceil(math.sqrt(num * 1.4))
    rows = math.ceil(num / columns)
    plotter = pv.Plotter(off_screen=True, window_size=[columns * 300, rows * 330])
    plotter.set_background("white")  # pyright: ignore[reportArgumentType]
    for index in range(num):
        x, y = index % columns * 2.15 * CELL, -(index // columns) * 2.3 * CELL
        plotter.add_point_labels(
            [[x + 0.5 * CELL, y + 0.95 * CELL, 0]], [titles[index]], shape=None, font_size=16,
            always_visible=True, show_points=False,
        )  # fmt: skip
        for side in range(2):
            for back in (False, True):
                place = np.array([x + side * CELL, y - 0.02 - back * CELL, 0])
                add_hand(plotter, model, posed, (index, side), back=back, place=place, paint=paint)
    plotter.enable_parallel_projection()  # pyright: ignore[reportCallIssue]
    plotter.view_xy()  # pyright: ignore[reportCallIssue]
    plotter.reset_camera()  # pyright: ignore[reportCallIssue]
    plotter.camera.zoom(1.7)
    plotter.screenshot(out)


def add_hand(plotter, model, posed, index, *, back, place, paint) -> None:  # noqa: ANN001
    """One hand on the paper."""
    row, side = index
    flip = np.array([1.0 if side == 0 else -1.0, 1.0, 1.0 if side == 0 else -1.0])

    def paper(points: np.ndarray) -> np.ndarray:
        # Half a turn about y brings the right hand's fingers up too.
        return to_paper(points * flip, back=back) + place

    vertices = posed.vertices_object[row, side].numpy()
    faces = model.closed_faces[side].numpy()
    mesh = pv.PolyData(paper(vertices), np.insert(faces, 0, 3, axis=1).ravel())
    if paint == "regions":
        colours = np.full((len(vertices), 3), pv.Color(SKIN).int_rgb, dtype=np.uint8)
        colours[model.regions.palm] = pv.Color(PALM).int_rgb
        for pad, colour in zip(model.regions.pads, PADS, strict=True):
            colours[pad] = pv.Color(colour).int_rgb
        mesh.point_data["rgb"] = colours
        plotter.add_mesh(mesh, scalars="rgb", rgb=True, smooth_shading=True)
        return
    plotter.add_mesh(
        mesh, color=SKIN, smooth_shading=True, opacity=0.35 if paint == "capsules" else 1
    )
    if paint == "capsules":
        T = posed.Ts_object_bone[row, side][model.capsules.bone]
        for i in range(len(T)):
            ends = [
                (T[i, :3, :3] @ end[side, i] + T[i, :3, 3]).numpy()
                for end in (model.capsules.start, model.capsules.end)
            ]
            radius = float(model.capsules.radius[side, i])
            start, end = (paper(point) for point in ends)
            tube = pv.Line(start, end).tube(radius=radius, n_sides=16)
            for part in (
                tube,
                pv.Sphere(radius=radius, center=start),
                pv.Sphere(radius=radius, center=end),
            ):
                plotter.add_mesh(part, color=PADS[i % 5], opacity=0.8)


def main() -> None:
    """Choose poses, draw them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["random", "named", "regions", "capsules", "shapes"])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--num", type=int, default=24)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    model = load_open_hand()
    paint = "skin"
    if arguments.what == "random":
        generator = torch.Generator().manual_seed(arguments.seed)
        rest = model.rest_parameters(arguments.num)
        hands = replace(rest, pose=model.random_poses(arguments.num, generator=generator))
        titles = [str(i) for i in range(arguments.num)]
    elif arguments.what == "shapes":
        names = model.shape_names
        hands = model.rest_parameters(2 * len(names))
        shape = torch.cat([torch.diag(model.shape_limits[:, i]) for i in (0, 1)])
        hands = replace(hands, shape=shape[:, None].expand(-1, 2, -1))
        titles = [f"{name} {sign}" for sign in "-+" for name in names]
    else:
        titles = list(NAMED) if arguments.what == "named" else ["rest", "fist", "cylinder", "pinch"]
        hands = hands_of(model, torch.stack([named_angles(model, name) for name in titles]))
        paint = "skin" if arguments.what == "named" else arguments.what
    draw(model, hands, arguments.out, paint=paint, titles=titles)


if __name__ == "__main__":
    main()
