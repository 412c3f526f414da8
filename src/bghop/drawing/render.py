"""Pictures of scenes, off screen, by VTK. Imports no torch, so that it can run beside it."""

import os
import sys
import warnings
from typing import Any

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from bghop.drawing.scene import HAND_COLORS, OBJECT_COLOR, Scene, Triangles
from bghop.drawing.views import FIELD_OF_VIEW, View

BACKGROUND = (1.0, 1.0, 1.0)
_SUPERSAMPLING = 1.5  # averaging pixels is the antialiasing that every driver supports
_MOST_FACES = 150_000
_WRIST_EDGE_DEG = 65.0  # the rim of the sealed wrist is an edge, creases of the skin are not


class Renderer:
    """One window and its lights, used for all pictures (opening a window takes a second)."""

    def __init__(self, size: int = 320) -> None:
        """Opens the window; `size` is the edge in pixels of the square pictures."""
        if sys.platform == "linux":
            # Without this VTK asks for an X server first, and says so on stderr.
            os.environ.setdefault("VTK_DEFAULT_OPENGL_WINDOW", "vtkEGLRenderWindow")
        from pyvista import Light, Plotter, PolyData

        self._new_surface = PolyData.from_regular_faces
        self._size = size
        edge = round(size * _SUPERSAMPLING)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            plotter: Any = Plotter(off_screen=True, window_size=[edge, edge], lighting="none")
            plotter.set_background(BACKGROUND)
            # Key from the upper left, fill from the right, all fixed to the camera.
            for position, intensity in (((-1, 1.4, 1.6), 0.76), ((1.6, 0.3, 0.8), 0.28)):
                light = Light(position=position, light_type="camera light", intensity=intensity)
                plotter.add_light(light)
        self._plotter = plotter
        self._object: Triangles | None = None
        self._scene: Scene | None = None

    def picture(self, scene: Scene, view: View) -> UInt8[np.ndarray, "size size 3"]:
        """One picture of a scene; what stays the same (scene, or its object) is kept."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # VTK and pyvista deprecations are none of the user's
            if scene is not self._scene:
                self._show(scene)
                self._scene = scene
            camera = self._plotter.camera
            camera.position, camera.focal_point, camera.up = view.position, view.target, view.up
            camera.view_angle = np.degrees(FIELD_OF_VIEW)
            self._plotter.reset_camera_clipping_range()
            self._plotter.render()
            pixels = np.asarray(self._plotter.screenshot(return_img=True))
        small = Image.fromarray(pixels[..., :3]).resize(
            (self._size, self._size), Image.Resampling.BOX
        )
        return np.asarray(small)

    def close(self) -> None:
        """Frees the window."""
        self._plotter.close()

    def _show(self, scene: Scene) -> None:
        if self._object is None or self._object[0] is not scene.object[0]:
            self._object = scene.object
            surface = _drawable(self._poly(scene.object))
            self._add("object", surface, OBJECT_COLOR, sharp=False)
            # Ambient occlusion over hand-sized hollows, whatever the size of the scene.
            self._plotter.enable_ssao(radius=0.025, bias=0.002, kernel_size=20, blur=True)
        for side, (hand, color) in enumerate(zip(scene.hands, HAND_COLORS, strict=True)):
            name = f"hand{side}"
            if hand is None:
                self._plotter.remove_actor(name, render=False)
            else:
                self._add(name, self._poly(hand), color, sharp=True)

    def _add(self, name: str, surface: Any, color: tuple[float, ...], *, sharp: bool) -> None:
        self._plotter.add_mesh(
            surface, name=name, color=color, smooth_shading=True, split_sharp_edges=sharp,
            feature_angle=_WRIST_EDGE_DEG, ambient=0.27, diffuse=0.86, specular=0.10,
            specular_power=18, reset_camera=False, render=False, show_scalar_bar=False,
        )  # fmt: skip

    def _poly(self, triangles: Triangles) -> Any:
        vertices, faces = triangles
        return self._new_surface(
            np.ascontiguousarray(vertices, dtype=np.float32), np.ascontiguousarray(faces)
        )


def _drawable(surface: Any) -> Any:
    """Fewer faces for drawing where there are very many; pictures do not show the difference."""
    num = surface.n_cells
    return surface.decimate(1 - _MOST_FACES / num) if num > _MOST_FACES else surface
