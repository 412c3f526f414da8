"""The errors of bghop. Every message says what is wrong AND how to mend it, in one line."""


class BghopError(Exception):
    """Base of the errors that a user can mend; the command line prints them as one line."""


class MeshError(BghopError):
    """A mesh file or a mesh that cannot be used (missing, empty, NaN, no volume, absurd size)."""


class HandModelError(BghopError):
    """A hand model file that cannot be read, or parameters that do not fit the model."""


class ResultError(BghopError):
    """A result folder or file that cannot be read, written or continued."""


class OptionError(BghopError):
    """An option whose value is out of range or contradicts another one."""


class PromptError(OptionError):
    """Words that a prior's text encoder cannot use."""


class DrawingError(BghopError):
    """Pictures that cannot be drawn (no OpenGL); results are complete without them."""


class PhysicsError(BghopError):
    """The hold test cannot be run (its packages are missing)."""


class DataError(BghopError):
    """Records or objects of a data set that cannot be read, written or used for training."""


class TrainingError(BghopError):
    """A training run that cannot start, go on or be continued."""


class CheckpointError(BghopError):
    """A file of trained weights that cannot be read, or that is not what it should be."""
