"""A mixed day of an assistant at a fixed rate: requests come when they come, answered or not what
came before, so that waiting is counted.

Without an embedder, a hybrid search has the words alone (`partial`): not the same as with one.
"""

from collections.abc import Iterator
from dataclasses import replace
from itertools import accumulate
from random import Random
from typing import Any

from benchmarks.bench import Bench
from benchmarks.driver import Prepared, open_loop
from benchmarks.figures import Figure, figure_of

_RATE = 500
_SECONDS = 20
_SHARES = {"read": 70, "create": 20, "search": 8, "update": 2}

ACTIONS = tuple(_SHARES)
WITH_EMBEDDER, WITHOUT_EMBEDDER = "mixed day", "mixed day without an embedder"


def measure_mixed_day(bench: Bench) -> Iterator[Figure]:
    name = WITHOUT_EMBEDDER if bench.served.environment["EMBEDDER"] == "none" else WITH_EMBEDDER
    work, due = mixed_requests(bench, Random(11), bench.count(_RATE * _SECONDS), _RATE)
    timed = open_loop(bench.served.endpoint, work, due)
    for action, seconds in timed.seconds.items():
        of_action = replace(timed, seconds={action: seconds})
        yield figure_of(f"{name}, {action}", of_action)


def mixed_requests(
    bench: Bench, chance: Random, count: int, rate: float
) -> tuple[list[Prepared], list[float]]:
    """Requests, and when each is due in seconds: at random times, `rate` a second on average."""
    kinds = chance.choices(list(_SHARES), list(_SHARES.values()), k=count)
    gaps = (chance.expovariate(rate) for _ in range(count))
    return [_request(bench, chance, kind) for kind in kinds], list(accumulate(gaps))


def _request(bench: Bench, chance: Random, kind: str) -> Prepared:
    known = bench.everyone
    return bench.requests.make(kind, _payload(bench, chance, kind), chance.choice(known.sessions))


def _payload(bench: Bench, chance: Random, kind: str) -> dict[str, Any]:
    if kind == "create":
        return bench.talk.memory()
    if kind == "search":
        return {"query": bench.talk.query()}
    named = {"memory_id": chance.choice(bench.everyone.memory_ids)}
    return named | {"content": {"text": bench.talk.text()}} if kind == "update" else named
