"""A mesh as few convex hulls that stay close to what a finger can touch."""
