"""The version, in a file that imports nothing (the build reads it)."""

__version__ = "0.1.0"
