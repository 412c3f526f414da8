"""Triangle meshes."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64


@dataclass(frozen=True, kw_only=True, eq=False)
class Mesh:
    """Triangles in metres, object frame; numpy because files and libigl speak it."""

    vertices: Float64[np.ndarray, "vert 3"]
    faces: Int64[np.ndarray, "face 3"]
    name: str = "object"
