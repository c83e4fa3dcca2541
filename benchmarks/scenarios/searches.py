"""Searches of the owner with many memories: by words, and by words and meaning."""

from collections.abc import Callable, Iterator

from benchmarks.bench import Bench
from benchmarks.driver import closed_loop
from benchmarks.figures import Figure, figure_of

_LOADS = ((1, 150), (8, 300))


def search_of(search_type: str) -> Callable[[Bench], Iterator[Figure]]:
    """A scenario that searches for something else each time."""

    def measure_searches(bench: Bench) -> Iterator[Figure]:
        session = bench.large_owner.sessions[0]
        for in_flight, count in _LOADS:
            work = [
                bench.requests.make(
                    "search", {"query": bench.talk.query(), "search_type": search_type}, session
                )
                for _ in range(bench.count(count))
            ]
            timed = closed_loop(bench.served.endpoint, [work], in_flight)
            name = f"{search_type} search, {in_flight} in flight"
            yield figure_of(name, timed, in_flight=in_flight)

    return measure_searches
