"""Surface of a distance grid by marching cubes."""

import igl
import numpy as np

from bghop.errors import MeshError
from bghop.geometry.mesh import Mesh
from bghop.geometry.sdf import SdfGrid
from bghop.geometry.topology import drop_bad_faces, merge_vertices


def extract_surface(sdf: SdfGrid, *, level: float = 0.0, name: str = "object") -> Mesh:
    """Triangles where the distance equals `level` (metres), facing outward, in the grid's frame.

    The surface is closed: where it would leave the box it is cut along the border.

    Raises:
        MeshError: the level is reached nowhere.
    """
    values = sdf.values.detach().cpu().double().numpy()
    # One layer of outside closes what the box cuts off. Its value is that of a far point, so the
    # surface moves outward by less than one spacing there.
    padded = np.pad(values, 1, constant_values=max(float(values.max()), level + sdf.spacing))
    low = sdf.origin.detach().cpu().double().numpy() - sdf.spacing
    # A sample exactly on the level would make triangles without area.
    padded = np.where(padded == level, level + 1e-9 * sdf.spacing, padded)
    nx, ny, nz = padded.shape
    k, j, i = np.meshgrid(np.arange(nz), np.arange(ny), np.arange(nx), indexing="ij")
    places = low + sdf.spacing * np.stack([i, j, k], axis=-1).reshape(-1, 3)
    samples = np.ascontiguousarray(padded.transpose(2, 1, 0)).reshape(-1)  # x runs fastest
    vertices, faces, _ = igl.marching_cubes(samples, places, nx, ny, nz, level)
    faces = np.asarray(faces, dtype=np.int64).reshape(-1, 3)
    if len(faces) == 0:
        raise MeshError(
            f"no surface at level {level:g} m: the distances run from {values.min():g} to "
            f"{values.max():g} m; choose a level between them or a finer grid"
        )
    vertices, faces = merge_vertices(np.asarray(vertices, dtype=np.float64), faces)
    return Mesh(vertices=vertices, faces=drop_bad_faces(faces), name=name)
