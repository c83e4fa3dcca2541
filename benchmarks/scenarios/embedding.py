"""What the embedding job costs: creates with the job at rest and at work, both with the same
embedder; what waits after the burst, how fast it drains, and how much of a core the job takes.
"""

import time
from collections.abc import Iterator, Sequence

import psycopg

from benchmarks.bench import Bench
from benchmarks.driver import Timed, closed_loop
from benchmarks.figures import Figure, figure_of
from benchmarks.processes import cpu_seconds_of_threads, nearest, sampling
from benchmarks.serving import WITHOUT_EMBEDDING, Served, beside, serving
from zmqbridge.client import Client

_BURST = 20_000
_AT_REST = _BURST // 2  # before the burst, and once more after it
_WARM_UP = 1_000
_IN_FLIGHT = 256
_WATCHED_SECONDS = 15
_PATIENCE_SECONDS = 60
_SAMPLE_SECONDS = 0.05

Threads = dict[str, float]  # by the thread's id


def measure_embedding(bench: Bench) -> Iterator[Figure]:
    """In a database of its own: the suite's orchestrator would do the work of one at rest."""
    settings = {"EMBEDDER": bench.served.environment["EMBEDDER"], "DATABASE_URL": ""}
    with serving(settings, WITHOUT_EMBEDDING) as resting:
        before = _creates(bench, resting, _AT_REST)
        with beside(resting, {}) as working:
            burst, *figures = _burst(bench, working)
        after = _creates(bench, resting, _AT_REST)
    at_rest = (before.rate() + after.rate()) / 2
    for timed in (before, after):
        yield figure_of(_name("at rest"), timed, in_flight=_IN_FLIGHT)
    yield burst
    slower = 100 * (1 - (burst.rate or 0) / at_rest)
    yield Figure("embedding, creates are slower by", "%", value=slower)
    yield from figures


def _name(state: str) -> str:
    return f"create, {_IN_FLIGHT} in flight, embedding job {state}"


def _creates(bench: Bench, served: Served, count: int) -> Timed:
    with Client(served.endpoint, timeout_seconds=30) as client:
        sessions = [client.create_session(user_id=f"burst-{n}").session_id for n in range(32)]
    warm_up = bench.requests.creates(bench.talk, bench.count(_WARM_UP), sessions)
    closed_loop(served.endpoint, [warm_up], _IN_FLIGHT)
    _rows(served, "DELETE FROM embedding_tasks")  # else it would begin with a backlog
    work = bench.requests.creates(bench.talk, bench.count(count), sessions)
    return closed_loop(served.endpoint, [work], _IN_FLIGHT)


def _burst(bench: Bench, working: Served) -> Iterator[Figure]:
    with sampling(lambda: cpu_seconds_of_threads(working.process_id), _SAMPLE_SECONDS) as samples:
        timed = _creates(bench, working, _BURST)
        waiting = _waiting(working)
        left = _begin_to_drain(working, timed.ended)
        start, first = time.perf_counter(), left
        while left and time.perf_counter() - start < _WATCHED_SECONDS:
            time.sleep(0.2)
            left = _waiting(working)
        seconds = time.perf_counter() - start
    yield figure_of(_name("at work"), timed, in_flight=_IN_FLIGHT)
    yield Figure("embedding, waiting after the burst", "memories", value=waiting)
    yield Figure("embedding, drained a second", "memories", value=(first - left) / seconds)
    yield Figure("embedding, begins to drain after", "s", value=start - timed.ended)
    writing = _shares(samples, timed.began, timed.ended)
    alone = _shares(samples, start, start + seconds)
    job = max(alone, key=alone.__getitem__)  # with no writes, its thread is the one that works
    share = 100 * writing.get(job, 0.0)
    yield Figure("embedding, of a core while writes wait", "%", value=share)
    yield Figure("embedding, of a core alone", "%", value=100 * alone[job])


def _shares(samples: Sequence[tuple[float, Threads]], start: float, end: float) -> Threads:
    """Of a core, by thread."""
    before, after = nearest(samples, start), nearest(samples, end)
    return {
        thread: (seconds - before.get(thread, 0.0)) / (end - start)
        for thread, seconds in after.items()
    }


def _begin_to_drain(served: Served, since: float) -> int:
    """Wait until the job has done something since then, for it may still give way to the writes;
    returns what is left."""
    first = left = _waiting(served)
    while left == first and time.perf_counter() - since < _PATIENCE_SECONDS:
        time.sleep(0.05)
        left = _waiting(served)
    return left


def _waiting(served: Served) -> int:
    [(count,)] = _rows(served, "SELECT count(*) FROM embedding_tasks")
    return int(count)


def _rows(served: Served, sql: str) -> list[tuple[int]]:
    with psycopg.connect(served.database, autocommit=True) as connection:
        cursor = connection.execute(sql)
        return cursor.fetchall() if cursor.description else []
