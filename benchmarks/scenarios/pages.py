"""batch_read: a set of ids, the newest of a session, and a page deep in a large owner's past."""

from collections.abc import Iterator
from random import Random
from typing import Any

from benchmarks.bench import Bench
from benchmarks.driver import closed_loop
from benchmarks.figures import Figure, figure_of

_IDS = 50
_COUNT = 400
_DEEP = 0.9  # of the owner's memories stand before the page


def measure_pages(bench: Bench) -> Iterator[Figure]:
    large = bench.large_owner
    chance = Random(3)
    some = [{"memory_ids": chance.sample(large.memory_ids, _IDS)} for _ in range(_COUNT)]
    yield _measure(bench, f"batch_read of {_IDS} ids", some)
    newest = {"filter": {"limit": 20}}
    yield _measure(bench, "batch_read by filter", [newest] * _COUNT)
    tagged = {"filter": {"scope": "user", "tags": ["food"], "memory_type": "context", "limit": 20}}
    yield _measure(bench, "batch_read by tag and type", [tagged] * _COUNT)
    offset = int(len(large.memory_ids) * _DEEP)
    deep = {"filter": {"scope": "user", "limit": 50, "offset": offset}}
    yield _measure(bench, "batch_read deep page", [deep] * _COUNT)


def _measure(bench: Bench, name: str, payloads: list[dict[str, Any]]) -> Figure:
    large = bench.large_owner
    work = [
        bench.requests.make("batch_read", payload, large.sessions[number % len(large.sessions)])
        for number, payload in enumerate(payloads[: bench.count(_COUNT)])
    ]
    return figure_of(name, closed_loop(bench.served.endpoint, [work]), in_flight=1)
