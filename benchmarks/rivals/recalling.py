"""Filtered recall: which of an owner's nearest memories a store finds, against the exact ones."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks.load import Vectors
from memories.services.search.vectors import Sample

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
    """By owner: in the store's own order, which is that of plain cosines but where it takes each
    owner's mean off before it compares; and in that of plain cosines."""
    vectors = np.array([vector for _, _, vector in memories], np.float32)
    of_owner = np.array([owner for owner, _, _ in memories])
    rows: dict[str, dict[str, float]] = {}
    for owner, share in SHARES.items():
        places = np.flatnonzero(of_owner == owner)
        asked = [
            (np.array(query[2], np.float32), found)
            for query, found in zip(queries, told["found"], strict=True)
            if query[0] == owner
        ]
        plain = [_recall(vectors[places] @ query, places, found) for query, found in asked]
        own = by_cosine = float(np.mean(plain))
        if sampled := told.get("sampled"):
            own = _centred(vectors, places, vectors[sampled[owner]], asked)
        rows[f"recall@{CUT}, owner of {share:.1%}"] = {"recall": own}
        rows[f"the same by plain cosines, {share:.1%}"] = {"recall": by_cosine}
    return rows


def _centred(
    vectors: Vectors, places: Any, sampled: Vectors, asked: Sequence[tuple[Vectors, list[int]]]
) -> float:
    sample = Sample(sampled, sampled.mean(axis=0))
    some = vectors[places]
    with_mean = some @ sample.mean
    each = [
        _recall(sample.centred_cosines(query, some @ query, with_mean), places, found)
        for query, found in asked
    ]
    return float(np.mean(each))


def _recall(scores: Vectors, places: Any, found: Sequence[int]) -> float:
    best = places[np.argsort(-scores)[:CUT]]
    return len(set(best.tolist()) & set(found)) / len(best)
