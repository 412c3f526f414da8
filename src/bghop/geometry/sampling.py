"""Random points of a triangle mesh, uniform by area."""

import numpy as np
from jaxtyping import Float, Float64, Int


def triangle_areas(
    vertices: Float[np.ndarray, "vert 3"], faces: Int[np.ndarray, "face 3"]
) -> Float64[np.ndarray, "face"]:
    """Square metres of each triangle (for vertices in metres)."""
    a, b, c = np.moveaxis(vertices[faces], 1, 0)
    return 0.5 * np.linalg.norm(np.cross(b - a, c - a), axis=1)


def points_on_triangles(
    vertices: Float[np.ndarray, "vert 3"],
    faces: Int[np.ndarray, "face 3"],
    num: int,
    rng: np.random.Generator,
) -> Float64[np.ndarray, "n 3"]:
    """`num` independent points, uniform on the surface."""
    areas = triangle_areas(vertices, faces)
    face = rng.choice(len(areas), size=num, p=areas / areas.sum())
    weight = rng.dirichlet(np.ones(3), size=num)
    return (vertices[faces[face]] * weight[..., None]).sum(1)
