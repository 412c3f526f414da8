"""The families by kind; to add one, write a function under `@family` and nothing else."""
