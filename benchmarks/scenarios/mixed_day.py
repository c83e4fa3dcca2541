"""A mixed day of an assistant at a fixed rate: requests come when they come, answered or not what
came before, so that waiting is counted.
"""

from collections.abc import Iterator
from random import Random
from typing import Any

from benchmarks.bench import Bench
from benchmarks.driver import Prepared, Timed, open_loop
from benchmarks.figures import Figure, figure_of

_RATE = 500
_SECONDS = 20
_SHARES = {"read": 70, "create": 20, "search": 8, "update": 2}

ACTIONS = tuple(_SHARES)


def measure_mixed_day(bench: Bench) -> Iterator[Figure]:
    chance = Random(11)
    count = bench.count(_RATE * _SECONDS)
    kinds = chance.choices(list(_SHARES), list(_SHARES.values()), k=count)
    work = [_request(bench, chance, kind) for kind in kinds]
    due, at = 0.0, []
    for _ in range(count):
        due += chance.expovariate(_RATE)
        at.append(due)
    timed = open_loop(bench.served.endpoint, work, at)
    for action, seconds in timed.seconds.items():
        of_action = Timed(timed.began, timed.ended, {action: seconds}, timed.failures, timed.failed)
        yield figure_of(f"mixed day, {action}", of_action)


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
