"""`Interaction`: two hands and one object, the value that everything passes on."""

from dataclasses import dataclass

from bghop.geometry.mesh import Mesh
from bghop.hands.model import HandParameters


@dataclass(frozen=True, kw_only=True, eq=False)
class Interaction:
    """One interaction (no leading batch): an object's mesh, the hands in its frame, and words."""

    mesh: Mesh
    hands: HandParameters
    hand_model: str
    text: str = ""
