"""Reads by id: from the cache, past it, and of what is not there."""

import secrets
from collections.abc import Iterator

from benchmarks.bench import Bench
from benchmarks.driver import closed_loop
from benchmarks.figures import Figure, figure_of
from memories import ids

_MEMORIES = 1000


def measure_reads(bench: Bench) -> Iterator[Figure]:
    memory_ids = bench.store(_MEMORIES)
    by_id, session = bench.requests.by_id, bench.sessions[0]
    closed_loop(bench.served.endpoint, [by_id("read", memory_ids, session)], 16)  # fills the cache
    for in_flight, count in ((1, 3000), (256, 40_000)):
        wanted = [memory_ids[n % _MEMORIES] for n in range(bench.count(count))]
        timed = closed_loop(bench.served.endpoint, [by_id("read", wanted, session)], in_flight)
        yield figure_of(f"read cached, {in_flight} in flight", timed, in_flight=in_flight)
    for in_flight, count in ((1, 1500), (256, 10_000)):
        wanted = [memory_ids[n % _MEMORIES] for n in range(bench.count(count))]
        work = by_id("read", wanted, session, fresh=True)
        timed = closed_loop(bench.served.endpoint, [work], in_flight)
        yield figure_of(f"read uncached, {in_flight} in flight", timed, in_flight=in_flight)
    missing = [
        ids.memory_id(ids.owner_of_user("bench-nobody"), secrets.token_bytes(16))
        for _ in range(bench.count(1500))
    ]
    timed = closed_loop(bench.served.endpoint, [by_id("read", missing, session)], wanted="error")
    yield figure_of("read missing, 1 in flight", timed, in_flight=1)
