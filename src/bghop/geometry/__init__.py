"""Meshes, signed distance grids, rotations and transforms: what has no hands in it."""
