"""Hands for a given mesh: start poses, energy, optimisation."""
