"""Objects to grasp: parametric families, and named sets of objects for the benchmark."""
