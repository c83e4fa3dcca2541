"""Filtered recall: which of an owner's nearest memories a store finds, against the exact ones."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks.vectors import Vectors

CUT = 10
# The first three as in the facts that this repeats; the rest is one owner's.
SHARES = {"most": 0.148, "some": 0.05, "few": 0.013}
REST = "others"

Told = Mapping[str, Any]
Given = Sequence[Sequence[Any]]  # owner, text, vector


def owners(count: int) -> list[str]:
    """Of as many memories, in an order by chance."""
    sizes = {owner: round(share * count) for owner, share in SHARES.items()}
    named = [owner for owner, size in sizes.items() for _ in range(size)]
    named += [REST] * (count - len(named))
    return [str(owner) for owner in np.random.default_rng(5).permutation(named)]


def recalls(told: Told, memories: Given, queries: Given) -> dict[str, dict[str, float]]:
    """By owner: the share of the ten nearest by cosine that was found."""
    vectors = np.array([vector for _, _, vector in memories], np.float32)
    of_owner = np.array([owner for owner, _, _ in memories])
    rows: dict[str, dict[str, float]] = {}
    for owner, share in SHARES.items():
        places = np.flatnonzero(of_owner == owner)
        each = [
            _recall(vectors[places] @ np.array(query[2], np.float32), places, found)
            for query, found in zip(queries, told["found"], strict=True)
            if query[0] == owner
        ]
        rows[f"recall@{CUT}, owner of {share:.1%}"] = {"recall": float(np.mean(each))}
    return rows


def _recall(scores: Vectors, places: Any, found: Sequence[int]) -> float:
    best = places[np.argsort(-scores)[:CUT]]
    return len(set(best.tolist()) & set(found)) / len(best)
