"""Training of first stages and priors: one loop, exact resume, one process or many."""
