"""MuJoCo, imported on first use: the package is an extra, and it has no type information."""

from typing import Any

from bghop.errors import PhysicsError

INSTALL = "the hold test needs MuJoCo: pip install 'bghop[physics]'"


def load_mujoco() -> Any:
    """The module.

    Raises:
        PhysicsError: It is not installed.
    """
    try:
        import mujoco
    except ImportError:
        raise PhysicsError(INSTALL) from None
    return mujoco
