"""Which places of the hands touch: the palmar skin seen flat, coloured by how often."""

import numpy as np
from jaxtyping import Float

from bghop.drawing.plots import figure_of


def plot_contact_maps(
    vertices_hand: Float[np.ndarray, "hand=2 vert 3"],
    share: Float[np.ndarray, "hand=2 vert"],
    *,
    title: str = "",
) -> bytes:
    """Both hands from their palmar side, left at the left, as a PNG file.

    Args:
        vertices_hand: At rest in the wrist frames, metres: palm towards -y, thumb towards +z.
        share: How often each vertex is in contact, 0 to 1.
        title: Above the picture.
    """
    with figure_of((7.2, 4.0)) as (figure, content):
        several = figure.subplots(1, 2)
        most = max(float(share.max()), 1e-9)
        dots = None
        for side, (axes, name) in enumerate(zip(several, ("left", "right"), strict=True)):
            x, y, z = vertices_hand[side].T
            # Palms towards the reader, fingers up: the left thumb then points left.
            across = z if side else -z
            order = np.argsort(-y)  # the palmar skin last, on top
            dots = axes.scatter(
                across[order], np.abs(x)[order], c=share[side][order], s=9, cmap="viridis",
                vmin=0, vmax=most, linewidths=0,
            )  # fmt: skip
            axes.set(aspect="equal", xticks=[], yticks=[])
            for spine in axes.spines.values():
                spine.set_visible(False)
            axes.set_title(f"{name} hand", fontsize=10)
        figure.colorbar(dots, ax=several, shrink=0.8, label="share of grasps that touch here")
        if title:
            figure.suptitle(title, x=0.01, ha="left", fontsize=11.5, fontweight="bold")
    return content.getvalue()
