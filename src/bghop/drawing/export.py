"""GLB files: one grasp as a scene with the nodes `object`, `left_hand`, `right_hand`."""

from typing import Any

import numpy as np

from bghop.drawing.scene import HAND_COLORS, OBJECT_COLOR, Scene, Triangles

NODE_NAMES = ("object", "left_hand", "right_hand")


def scene_glb(scene: Scene) -> bytes:
    """A binary glTF 2.0 file: metres, the object's own frame, identity node transforms.

    Exactly the nodes `object`, `left_hand`, `right_hand` (without those of absent hands), each one
    mesh with averaged normals and one PBR material. The frame is written as it is: glTF viewers
    take +y for up whatever the mesh meant.
    """
    from trimesh import Scene as TrimeshScene

    glb = TrimeshScene()
    parts = (scene.object, *scene.hands)
    colors = (OBJECT_COLOR, *HAND_COLORS)
    for name, part, color in zip(NODE_NAMES, parts, colors, strict=True):
        if part is not None:
            mesh = _colored(part, color)
            glb.add_geometry(mesh, node_name=name, geom_name=name)
    content = glb.export(
        file_type="glb", include_normals=True, tree_postprocessor=_keep_only_mesh_nodes
    )
    if not isinstance(content, bytes):
        msg = f"trimesh exported {type(content).__name__} where bytes were due"
        raise TypeError(msg)
    return content


def _colored(part: Triangles, color: tuple[float, ...]) -> Any:
    from trimesh import Trimesh
    from trimesh.visual import TextureVisuals
    from trimesh.visual.material import PBRMaterial

    mesh = Trimesh(*part, process=False)
    # glTF colours are linear light, ours are sRGB.
    linear = [*(((value + 0.055) / 1.055) ** 2.4 for value in color), 1.0]
    mesh.visual = TextureVisuals(
        material=PBRMaterial(
            baseColorFactor=np.array(linear), metallicFactor=0.0, roughnessFactor=0.6,
            doubleSided=True,
        )
    )  # fmt: skip
    return mesh


def _keep_only_mesh_nodes(tree: dict[str, Any]) -> None:
    """Drops the root node that trimesh adds: the scene then lists our nodes directly."""
    tree["nodes"] = [node for node in tree["nodes"] if "mesh" in node]
    tree["scenes"] = [{"nodes": list(range(len(tree["nodes"])))}]
    tree["scene"] = 0
