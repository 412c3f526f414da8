"""Quaternions of data sets, real part first, as rotations."""

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation


def rotations_from_wxyz(wxyz: Float[np.ndarray, "*batch 4"]) -> Rotation:
    """Rotations of quaternions (w, x, y, z) of any length.

    Raises:
        ValueError: One is all zeros.
    """
    return Rotation.from_quat(np.roll(np.asarray(wxyz, dtype=float), -1, axis=-1))
