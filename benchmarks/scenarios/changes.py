"""Updates and deletes, each of a memory of its own."""

from collections.abc import Iterator

from benchmarks.bench import Bench
from benchmarks.driver import closed_loop
from benchmarks.figures import Figure, figure_of

_LOADS = ((1, 800), (256, 6000))


def measure_updates(bench: Bench) -> Iterator[Figure]:
    for in_flight, count in _LOADS:
        session = bench.sessions[0]
        work = [
            bench.requests.make(
                "update", {"memory_id": an_id, "content": {"text": bench.talk.text()}}, session
            )
            for an_id in bench.store(bench.count(count))
        ]
        timed = closed_loop(bench.served.endpoint, [work], in_flight)
        yield figure_of(f"update, {in_flight} in flight", timed, in_flight=in_flight)


def measure_deletes(bench: Bench) -> Iterator[Figure]:
    for in_flight, count in _LOADS:
        memory_ids = bench.store(bench.count(count))
        work = bench.requests.by_id("delete", memory_ids, bench.sessions[0])
        timed = closed_loop(bench.served.endpoint, [work], in_flight)
        yield figure_of(f"delete, {in_flight} in flight", timed, in_flight=in_flight)
