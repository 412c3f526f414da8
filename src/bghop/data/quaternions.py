"""Quaternions of data sets, real part first, as rotations."""

import numpy as np
from numpy.typing import ArrayLike
from scipy.spatial.transform import Rotation


def rotations_from_wxyz(wxyz: ArrayLike) -> Rotation:
    """Rotations of quaternions (w, x, y, z), whatever their norm; one, or a row each.

    Raises:
        ValueError: One is all zeros.
    """
    return Rotation.from_quat(np.roll(np.asarray(wxyz, dtype=float), -1, axis=-1))
