"""Searches of the owner with many memories, and of all the others by turns: by words, and by words
and meaning."""

from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate
from random import Random

from benchmarks.bench import Bench
from benchmarks.driver import closed_loop
from benchmarks.figures import Figure, figure_of

_LOADS = ((1, 150), (8, 300))
_MANY_LOADS = ((1, 500), (8, 1500))


def search_of(search_type: str) -> Callable[[Bench], Iterator[Figure]]:
    """A scenario that searches for something else each time."""

    def measure_searches(bench: Bench) -> Iterator[Figure]:
        for in_flight, count in _LOADS:
            sessions = [bench.large_owner.sessions[0]] * bench.count(count)
            name = f"{search_type} search, {in_flight} in flight"
            yield _measure(bench, name, search_type, sessions, in_flight)

    return measure_searches


def measure_many_owners(bench: Bench) -> Iterator[Figure]:
    """Hybrid searches of the owners that share the loaded memories, a few of whom ask the most."""
    for in_flight, count in _MANY_LOADS:
        sessions = skewed(bench.everyone.sessions, bench.count(count), seed=in_flight)
        name = f"hybrid search of many owners, {in_flight} in flight"
        yield _measure(bench, name, "hybrid", sessions, in_flight)


def skewed(sessions: Sequence[str], count: int, seed: int) -> list[str]:
    """As often as Zipf's law has it: the n-th 1/n times as often as the first."""
    chance = Random(seed)
    shuffled = chance.sample(list(sessions), len(sessions))
    sums = list(accumulate(1 / place for place in range(1, len(shuffled) + 1)))
    return chance.choices(shuffled, cum_weights=sums, k=count)


def _measure(
    bench: Bench, name: str, search_type: str, sessions: Sequence[str], in_flight: int
) -> Figure:
    work = [
        bench.requests.make(
            "search", {"query": bench.talk.query(), "search_type": search_type}, session
        )
        for session in sessions
    ]
    timed = closed_loop(bench.served.endpoint, [work], in_flight)
    return figure_of(name, timed, in_flight=in_flight)
