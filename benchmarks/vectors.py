"""Vectors by chance, and tags of known shares, as the loader gives them to memories. The same seed
makes the same ones."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[Any]  # a vector a row
_CENTRES = 256
_NOISE = 0.9  # length of what is added to a centre, which has length 1
# With `--tagged`, each memory has these tags by chance: what holds `spread-1` is 1 % of all, lying
# anywhere; what holds `topic-1` is 1 % as well, around the same few centres.
TAGGED_PERCENT = (0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30)
TAG_KINDS = ("spread", "topic")


def unit_vectors(count: int, dimension: int, seed: int) -> Vectors:
    """Around common centres, as the vectors of real texts are; the centres are always the same."""
    centres = _scaled(np.random.default_rng(0).standard_normal((_CENTRES, dimension)))
    chance = np.random.default_rng(seed + 1)
    of_centre = chance.integers(_CENTRES, size=count)
    noise = _scaled(chance.standard_normal((count, dimension))) * _NOISE
    return _scaled(centres[of_centre] + noise).astype(np.float32)


def share_tags(count: int, seed: int) -> list[list[str]]:
    """For as many memories, whose vectors are of the same seed, the tags of `TAGGED_PERCENT`."""
    of_centre = np.random.default_rng(seed + 1).integers(_CENTRES, size=count)
    chance = np.random.default_rng([seed, 1])
    places = {
        "spread": chance.random(count),
        "topic": (of_centre + chance.random(count)) / _CENTRES,
    }
    return [
        [
            f"{kind}-{percent:g}"
            for kind in TAG_KINDS
            for percent in TAGGED_PERCENT
            if places[kind][number] < percent / 100
        ]
        for number in range(count)
    ]


def _scaled(vectors: Vectors) -> Vectors:
    scaled: Vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return scaled
