"""Creates: how many are stored a second, and how long one takes, by requests in flight."""

from collections.abc import Iterator

from benchmarks.bench import Bench
from benchmarks.driver import closed_loop
from benchmarks.figures import Figure, figure_of
from benchmarks.serving import another

_IN_FLIGHT = ((1, 1500), (16, 6000), (256, 20_000))
# (clients, requests in flight of each, creates in all)
_CLIENTS = ((4, 1, 3000), (16, 1, 6000), (4, 64, 12_000), (16, 16, 12_000))
_MEMBERS = 100


def measure_creates(bench: Bench) -> Iterator[Figure]:
    for in_flight, count in _IN_FLIGHT:
        work = bench.requests.creates(bench.talk, bench.count(count), bench.sessions)
        timed = closed_loop(bench.served.endpoint, [work], in_flight)
        yield figure_of(f"create, {in_flight} in flight", timed, in_flight=in_flight)


def measure_clients(bench: Bench) -> Iterator[Figure]:
    """Creates of several clients, each a process."""
    for clients, in_flight, count in _CLIENTS:
        each = bench.count(count // clients)
        work = [bench.requests.creates(bench.talk, each, bench.sessions) for _ in range(clients)]
        timed = closed_loop(bench.served.endpoint, work, in_flight)
        name = f"create, {clients} clients, {in_flight} in flight each"
        yield figure_of(name, timed, in_flight=clients * in_flight)


def measure_one_commit_each(bench: Bench) -> Iterator[Figure]:
    """The same server with batches of one: what natural batching gives."""
    work = bench.requests.creates(bench.talk, bench.count(3000), bench.sessions)
    with another(bench.served, {"WRITE_BATCH": "1"}) as endpoint:
        timed = closed_loop(endpoint, [work], 256)
    yield figure_of("create, 256 in flight, a commit each", timed, in_flight=256)


def measure_batch_creates(bench: Bench) -> Iterator[Figure]:
    """Batches of 100 memories, four in flight."""
    work = [
        bench.requests.make(
            "batch_create",
            {"memories": [bench.talk.memory() for _ in range(_MEMBERS)]},
            bench.sessions[number % len(bench.sessions)],
        )
        for number in range(bench.count(120))
    ]
    timed = closed_loop(bench.served.endpoint, [work], 4)
    yield figure_of("batch_create of 100, 4 in flight", timed, "rows", each=_MEMBERS)
