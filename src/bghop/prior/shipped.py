"""The prior that comes with the package: half-precision weights, config, model card."""

from pathlib import Path

SHIPPED_PRIOR = Path(__file__).parent / "assets" / "shipped"
"""Folder for `load_prior`; used by every command that is given no `--checkpoint`."""
