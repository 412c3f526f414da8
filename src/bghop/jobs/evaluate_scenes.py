"""From rows of a benchmark back to scenes: hands from their parameters, objects from their set."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from bghop.drawing.posed import drawable, posed_scenes
from bghop.drawing.scene import Scene, Triangles
from bghop.geometry.mesh import Mesh
from bghop.hands.joints import SIDES
from bghop.hands.model import HandModel, HandParameters
from bghop.interaction import stacked
from bghop.physics.hold import DIRECTION_NAMES, hold_film
from bghop.reporting.columns import Row


class RowScenes:
    """Makes scenes of the rows of one benchmark; keeps what grasps of one object share."""

    def __init__(self, items: Sequence[Any], hand_model: HandModel) -> None:
        """`items`: the objects of the set (`name`, `mesh`)."""
        self._items: Mapping[str, Any] = {item.name: item for item in items}
        self._hand_model = hand_model
        self._drawable: dict[str, Triangles] = {}

    def scene(self, row: Row) -> Scene:
        """The grasp of one row."""
        hands = stacked([self.hands(row)])
        return posed_scenes(self._hand_model, hands, [self._object(row)])[0]

    def film(self, row: Row) -> tuple[list[Scene], list[str]]:
        """The hold test of one row along its worst direction: scenes, and captions of two lines.

        Raises:
            PhysicsError: MuJoCo is not installed.
        """
        film = hold_film(
            self._mesh(row), self._hand_model, self.hands(row),
            direction=DIRECTION_NAMES.index(row["hold_worst_direction"]),
        )  # fmt: skip
        vertices, faces = self._object(row)
        moved = [(vertices @ T[:3, :3].T + T[:3, 3], faces) for T in film.Ts_object_now]
        scenes, captions = posed_scenes(self._hand_model, film.hands, moved), []
        for index in range(len(moved)):
            away, turned = film.moved_cm[index], film.turned_deg[index]
            words = f"\nmoved {away:.1f} cm, {turned:.0f}°" if index > 1 else ""
            captions.append(film.captions[index] + words)
        return scenes, captions

    def hands(self, row: Row) -> HandParameters:
        """Parameters of one row, without a leading batch; an absent hand rests at the origin."""
        rest = self._hand_model.rest_parameters()
        values = {"T_object": rest.T_object_hand, "pose": rest.pose, "shape": rest.shape}
        values = {name: value.clone() for name, value in values.items()}
        present = [row[f"T_object_{side}"] is not None for side in SIDES]
        for name, value in values.items():
            for k, side in enumerate(SIDES):
                if present[k]:
                    value[k] = torch.tensor(row[f"{name}_{side}"]).reshape(value[k].shape)
        return HandParameters(
            present=torch.tensor(present), T_object_hand=values["T_object"], pose=values["pose"],
            shape=values["shape"],
        )  # fmt: skip

    def _mesh(self, row: Row) -> Mesh:
        return self._items[row["object"]].mesh

    def _object(self, row: Row) -> Triangles:
        name = row["object"]
        if name not in self._drawable:
            self._drawable[name] = drawable(self._mesh(row))
        return self._drawable[name]
