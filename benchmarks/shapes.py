"""The benchmark's own objects: time to make them, their sizes, and one picture of all.

python benchmarks/shapes.py --picture docs/images/shapes.png
python benchmarks/shapes.py --families --picture docs/images/families.png
"""

import argparse
import time
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from bghop.drawing.render import Renderer
from bghop.drawing.scene import Scene
from bghop.drawing.shading import split_sharp_edges
from bghop.drawing.views import fit_view
from bghop.geometry.mesh import Mesh
from bghop.objects.catalog import FAMILIES, mesh_of
from bghop.objects.seeds import training_rng
from bghop.objects.sets import object_set
from bghop.objects.splits import HELD_OUT_RELATIVES

CELL, LABEL = 220, 22


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--source", default="shapes", help="an object set")
    parser.add_argument("--families", action="store_true", help="one object of every family")
    parser.add_argument("--picture", type=Path)
    options = parser.parse_args()
    start = time.perf_counter()
    if options.families:
        samples = [kind.sample(training_rng(0, i)) for i, kind in enumerate(FAMILIES.values())]
        meshes = [mesh_of(sample) for sample in samples]
    else:
        meshes = [item.mesh for item in object_set(options.source).items]
    seconds = time.perf_counter() - start
    for mesh in meshes:
        sides = " x ".join(f"{100 * side:.1f}" for side in mesh.extents)
        print(f"| {mesh.name} | {sides} | {1e6 * mesh.volume:.0f} | {len(mesh.faces):,} |")
    print(f"{len(meshes)} meshes in {seconds:.2f} s, {1e3 * seconds / len(meshes):.0f} ms each")
    if options.picture:
        sheet = draw(meshes, columns=9 if options.families else 6)
        sheet.quantize(64).save(options.picture, optimize=True)


def draw(meshes: list[Mesh], *, columns: int) -> Image.Image:
    """A grid of pictures, smallest object first, each with its longest side.

    Families that stay out of training are named with a star.
    """
    meshes = sorted(meshes, key=lambda mesh: mesh.extents.max())
    rows = -(-len(meshes) // columns)
    sheet = Image.new("RGB", (columns * CELL, rows * (CELL + LABEL)), (255, 255, 255))
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(14)
    renderer = Renderer(size=CELL)
    towards = np.array([0.55, -0.95, 0.75])
    for index, mesh in enumerate(meshes):
        row, column = divmod(index, columns)
        scene = Scene(object=split_sharp_edges(mesh.vertices, mesh.faces), hands=(None, None))
        view = fit_view(mesh.vertices, towards / np.linalg.norm(towards))
        place = (column * CELL, row * (CELL + LABEL))
        sheet.paste(Image.fromarray(renderer.picture(scene, view)), place)
        star = "*" if mesh.name in HELD_OUT_RELATIVES else ""
        words = f"{mesh.name.replace('_', ' ')}{star}, {100 * mesh.extents.max():.0f} cm"
        pen.text((place[0] + 8, place[1] + CELL), words, fill=(38, 42, 48), font=font)
    renderer.close()
    return sheet


if __name__ == "__main__":
    main()
