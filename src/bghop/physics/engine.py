"""MuJoCo, imported on first use: the package is an extra, and it has no type information."""

from typing import Any

from bghop.errors import PhysicsError

INSTALL = "{what} need MuJoCo: pip install 'bghop[physics]'"


def load_mujoco(what: str = "hold tests") -> Any:
    """The module.

    Args:
        what: needs it, for the error.

    Raises:
        PhysicsError: It is not installed.
    """
    try:
        import mujoco
    except ImportError:
        raise PhysicsError(INSTALL.format(what=what)) from None
    return mujoco
