"""Random streams that never meet: one for training data, one held out for the benchmark.

The streams are spawned from one seed sequence by different keys (numpy's `SeedSequence`), so
training objects may use ANY seed and still never repeat the draws of a held-out object.
"""

import numpy as np

TRAINING_STREAM = 0
"""First key of every stream that makes training data."""
HELD_OUT_STREAM = 1
"""First key of the benchmark's streams; only `bghop.objects.sets` uses it."""


def training_rng(seed: int, *keys: int) -> np.random.Generator:
    """Random numbers for training objects: equal for equal seed and keys, never held out."""
    return _stream(seed, TRAINING_STREAM, *keys)


def held_out_rng(seed: int, *keys: int) -> np.random.Generator:
    """Random numbers of the benchmark's objects; no training data may be drawn from them."""
    return _stream(seed, HELD_OUT_STREAM, *keys)


def _stream(seed: int, *keys: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=keys)))
