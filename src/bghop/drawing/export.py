"""GLB files: one grasp as a scene with the nodes `object`, `left_hand`, `right_hand`."""

from typing import Any

import numpy as np
from jaxtyping import Float, Int

from bghop.drawing.scene import HAND_COLORS, OBJECT_COLOR, Scene, Triangles

NODE_NAMES = ("object", "left_hand", "right_hand")
_SHARP_EDGE = np.radians(40.0)


def scene_glb(scene: Scene) -> bytes:
    """A binary glTF 2.0 file: metres, the object's own frame, identity node transforms.

    Exactly the nodes `object`, `left_hand`, `right_hand` (without those of absent hands), each one
    mesh with smooth normals (split at sharp edges of the object) and one PBR material. The frame is
    written as it is: glTF viewers take +y for up whatever the mesh meant.
    """
    from trimesh import Scene as TrimeshScene

    glb = TrimeshScene()
    parts = (scene.object, *scene.hands)
    colors = (OBJECT_COLOR, *HAND_COLORS)
    for name, part, color in zip(NODE_NAMES, parts, colors, strict=True):
        if part is not None:
            mesh = _shaded(part, color, sharp=name == "object")
            glb.add_geometry(mesh, node_name=name, geom_name=name)
    content = glb.export(
        file_type="glb", include_normals=True, tree_postprocessor=_keep_only_mesh_nodes
    )
    if not isinstance(content, bytes):
        msg = f"trimesh exported {type(content).__name__} where bytes were due"
        raise TypeError(msg)
    return content


def _shaded(part: Triangles, color: tuple[float, ...], *, sharp: bool) -> Any:
    from trimesh import Trimesh
    from trimesh.visual import TextureVisuals
    from trimesh.visual.material import PBRMaterial

    vertices, faces = split_sharp_edges(*part) if sharp else part
    mesh = Trimesh(vertices, faces, process=False)
    # glTF colours are linear light, ours are sRGB.
    linear = [*(((value + 0.055) / 1.055) ** 2.4 for value in color), 1.0]
    mesh.visual = TextureVisuals(
        material=PBRMaterial(
            baseColorFactor=np.array(linear), metallicFactor=0.0, roughnessFactor=0.6,
            doubleSided=True,
        )
    )  # fmt: skip
    return mesh


def split_sharp_edges(
    vertices: Float[np.ndarray, "vert 3"], faces: Int[np.ndarray, "face 3"]
) -> Triangles:
    """The same triangles with vertices doubled where faces meet at more than 40 degrees.

    Faces around a vertex share it if they are joined there by soft edges, so that averaged normals
    shade curved parts smoothly and leave edges crisp.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    corners = vertices[faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals /= np.maximum(np.linalg.norm(normals, axis=-1, keepdims=True), 1e-30)
    # Pairs of faces at each edge: half-edges sorted by their two vertices.
    starts, ends = faces.ravel(), np.roll(faces, -1, axis=1).ravel()
    low, high = np.minimum(starts, ends), np.maximum(starts, ends)
    order = np.lexsort((high, low))
    same = (low[order][1:] == low[order][:-1]) & (high[order][1:] == high[order][:-1])
    first, second = order[:-1][same], order[1:][same]
    soft = (normals[first // 3] * normals[second // 3]).sum(-1) > np.cos(_SHARP_EDGE)
    first, second = first[soft], second[soft]
    # Face corners are joined across soft edges where they stand on the same vertex.
    following = np.arange(faces.size).reshape(-1, 3)[:, [1, 2, 0]].ravel()
    flat = faces.ravel()
    aligned = flat[first] == flat[second]
    a = np.concatenate([first, following[first]])
    b = np.concatenate(
        [
            np.where(aligned, second, following[second]),
            np.where(aligned, following[second], second),
        ]
    )
    joined = coo_array((np.ones(len(a), dtype=bool), (a, b)), shape=(faces.size, faces.size))
    num, label = connected_components(joined, directed=False)
    source = np.empty(num, dtype=np.int64)
    source[label] = flat
    return vertices[source], label.reshape(-1, 3).astype(np.int64)


def _keep_only_mesh_nodes(tree: dict[str, Any]) -> None:
    """Drops the root node that trimesh adds: the scene then lists our nodes directly."""
    tree["nodes"] = [node for node in tree["nodes"] if "mesh" in node]
    tree["scenes"] = [{"nodes": list(range(len(tree["nodes"])))}]
    tree["scene"] = 0
