"""Hand models: rest meshes, joints, skinning, anatomy."""
