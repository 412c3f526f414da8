"""Data sets for training: records of interactions, stored distances of objects, batches."""
