"""OBJ files whose vertices must stay in their order: labels or other files count on it."""

from pathlib import Path

import numpy as np
from jaxtyping import Float, Int64

from bghop.data.foreign_files import read_lines
from bghop.errors import DataError


def read_obj(path: Path) -> tuple[Float[np.ndarray, "vert 3"], Int64[np.ndarray, "face 3"]]:
    """Vertices and triangles of an OBJ file, every vertex in its place (labels count on it).

    Raises:
        DataError: The file is missing or has none.
    """
    vertices, faces = [], []
    try:
        for line in read_lines(path):
            word, _, rest = line.partition(" ")
            if word == "v":
                vertices.append([float(x) for x in rest.split()[:3]])
            elif word == "f":
                corners = [int(corner.split("/")[0]) for corner in rest.split()]
                for k in range(1, len(corners) - 1):
                    faces.append([corners[0], corners[k], corners[k + 1]])
        points, triangles = np.array(vertices).reshape(-1, 3), np.array(faces).reshape(-1, 3)
        triangles = np.where(triangles < 0, triangles + len(points), triangles - 1)
        if not len(points) or not len(triangles) or triangles.max() >= len(points):
            raise ValueError("no triangles")
    except ValueError as error:
        raise DataError(f"{path} is no whole OBJ file ({error}): download it again") from error
    return points, triangles.astype(np.int64)
