"""Interaction grids: joints to truncated squared distances, and back to hands."""
