"""Making data: parametric objects, hands for them, checks, in any number from a seed."""
