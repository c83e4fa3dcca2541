"""The floors that figures are compared with, on the same machine and the same server.

No orchestrator that speaks JSON over ZeroMQ can answer sooner than an echo, and none that commits
can be quicker than the commit. The statements write and read rows of the tables' own shape, with
all their indexes, among the rows that are already there.
"""

import multiprocessing
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import msgspec
import psycopg
import zmq

from benchmarks.bench import Bench
from benchmarks.driver import Timed, closed_loop, run_clients, wait_for_all
from benchmarks.figures import Figure, figure_of
from benchmarks.workload import Talk
from memories import ids

ECHO = "floor: echo, 1 in flight"
ECHO_PIPELINED = "floor: echo, 256 in flight"
COMMIT = "floor: commit a row, 1 connection"
COMMIT_MANY = "floor: commit a row, 32 connections"
BATCH = "floor: insert 256 rows from JSON"
LOOKUP = "floor: look up by key"

_BATCH_ROWS = 256
_PROCESSES, _THREADS = 2, 16
_OWNER = ids.owner_of_user("bench-floor")
_SESSION = ids.session_id(_OWNER, bytes(16))

# What a store without batches would send for each create.
_COMMIT_SQL = """
INSERT INTO memory_entries (id, owner_id, session_id, memory_type, content, content_bytes, text,
    speaker, words, search, tags, priority, source_agent, created_by, version, content_version,
    created_at, updated_at)
VALUES (%(id)s, %(owner_id)s, %(session_id)s, %(memory_type)s, %(content)s::jsonb, 100, %(text)s,
    %(speaker)s, 10, to_tsvector('english', %(text)s), %(tags)s, %(priority)s, 'voice', '', 1, 1,
    %(at)s, %(at)s)"""

_BATCH_SQL = """
INSERT INTO memory_entries (id, owner_id, session_id, memory_type, content, content_bytes, text,
    speaker, words, search, tags, priority, source_agent, created_by, version, content_version,
    created_at, updated_at)
SELECT n.id, n.owner_id, n.session_id, n.memory_type, n.content, 100, n.text, n.speaker, 10,
    to_tsvector('english', n.text), n.tags, n.priority, 'voice', '', 1, 1, n.at, n.at
FROM jsonb_to_recordset(%s::jsonb) AS n (id text, owner_id uuid, session_id text, memory_type text,
    content jsonb, text text, speaker text, tags text[], priority int, at timestamptz)"""

_LOOKUP_SQL = """
SELECT id, session_id, memory_type, content::text, tags, source_agent, priority, created_at,
    updated_at, expires_at
FROM memory_entries WHERE id = %s AND owner_id = %s AND deleted_at IS NULL"""


@contextmanager
def echo_server() -> Iterator[str]:
    """A ROUTER in a process of its own that decodes each request and sends it back encoded."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_echo, args=(there,), daemon=True)
    process.start()
    try:
        yield here.recv()
    finally:
        process.terminate()
        process.join()


def measure_floors(bench: Bench) -> Iterator[Figure]:
    _make_session(bench.served.database)
    yield figure_of(ECHO, _echo_requests(bench, 3000, 1), in_flight=1)
    pipelined = _echo_requests(bench, 40_000, 256)
    yield figure_of(ECHO_PIPELINED, pipelined, in_flight=256)
    own = 1e6 * pipelined.cpu_seconds / len(pipelined.all_seconds())
    yield Figure("load generator, processor time a request", "µs", value=own)
    yield figure_of(COMMIT, _commits(bench, 1, 1, 1500), "rows", in_flight=1)
    yield figure_of(COMMIT_MANY, _commits(bench, _PROCESSES, _THREADS, 8000), "rows", in_flight=32)
    batches = run_clients(_insert_batches, [(bench.served.database, bench.count(60))])
    yield figure_of(BATCH, batches, "rows", each=_BATCH_ROWS)
    yield figure_of(LOOKUP, run_clients(_look_up, [(bench.served.database, bench.count(3000))]))


def _echo(parent: Any) -> None:
    socket = zmq.Context().socket(zmq.ROUTER)
    socket.bind("tcp://127.0.0.1:0")
    parent.send(socket.getsockopt_string(zmq.LAST_ENDPOINT).rstrip("\0"))
    decode, encode = msgspec.json.Decoder().decode, msgspec.json.Encoder().encode
    while True:
        *route, body = socket.recv_multipart()
        socket.send_multipart([*route, encode({**decode(body), "status": "success"})])


def _echo_requests(bench: Bench, count: int, in_flight: int) -> Timed:
    reads = bench.requests.by_id("read", ["mem-" + "x" * 44] * bench.count(count), "session")
    return closed_loop(bench.echo, [reads], in_flight)


def _commits(bench: Bench, processes: int, threads: int, count: int) -> Timed:
    each = bench.count(count) // (processes * threads)
    arguments = [(bench.served.database, threads, each, seed) for seed in range(processes)]
    return run_clients(_commit_rows, arguments)


def _commit_rows(database: str, threads: int, count: int, seed: int) -> Timed:
    """Each thread has a connection of its own, and commits `count` rows one by one."""
    work = [_rows(count, seed * threads + thread) for thread in range(threads)]
    connections = [_connect(database) for _ in range(threads)]
    for connection, each in zip(connections, _rows(threads, 99), strict=True):
        connection.execute(_COMMIT_SQL, _as_json(each), prepare=True)

    def commit_each(
        connection: psycopg.Connection[Any], some: Sequence[dict[str, Any]]
    ) -> list[float]:
        return _times(lambda row: connection.execute(_COMMIT_SQL, row, prepare=True), some)

    prepared = [[_as_json(row) for row in some] for some in work]
    with ThreadPoolExecutor(threads) as pool:
        began = wait_for_all()
        seconds = [t for times in pool.map(commit_each, connections, prepared) for t in times]
    return _timed(began, seconds, connections)


def _insert_batches(database: str, count: int) -> Timed:
    batches = [msgspec.json.encode(_rows(_BATCH_ROWS, seed)).decode() for seed in range(count)]
    connection = _connect(database)
    warm = msgspec.json.encode(_rows(1, 0)).decode()
    connection.execute(_BATCH_SQL, [warm], prepare=True)
    began = wait_for_all()
    seconds = _times(lambda each: connection.execute(_BATCH_SQL, [each], prepare=True), batches)
    return _timed(began, seconds, [connection])


def _look_up(database: str, count: int) -> Timed:
    connection = _connect(database)
    some = connection.execute(
        "SELECT id, owner_id FROM memory_entries WHERE deleted_at IS NULL LIMIT %s", [count]
    ).fetchall()
    keys = [some[place % len(some)] for place in range(count)]
    began = wait_for_all()
    seconds = _times(
        lambda key: connection.execute(_LOOKUP_SQL, key, prepare=True).fetchall(), keys
    )
    return _timed(began, seconds, [connection])


def _times(run: Callable[[Any], Any], each_of: Sequence[Any]) -> list[float]:
    seconds = []
    for each in each_of:
        start = time.perf_counter()
        run(each)
        seconds.append(time.perf_counter() - start)
    return seconds


def _timed(
    began: float, seconds: list[float], connections: Sequence[psycopg.Connection[Any]]
) -> Timed:
    timed = Timed(began, time.perf_counter(), {"floor": seconds}, [])
    for connection in connections:
        connection.close()
    return timed


def _connect(database: str) -> psycopg.Connection[Any]:
    return psycopg.connect(database, autocommit=True)


def _rows(count: int, seed: int) -> list[dict[str, Any]]:
    talk = Talk(seed)
    made = []
    for memory in (talk.memory() for _ in range(count)):
        content = memory["content"]
        made.append(
            {
                "id": ids.memory_id(_OWNER, secrets.token_bytes(16)),
                "owner_id": _OWNER,
                "session_id": _SESSION,
                "memory_type": memory["memory_type"],
                "content": content,
                "text": content["text"],
                "speaker": content["speaker"],
                "tags": memory["tags"],
                "priority": memory["priority"],
                "at": datetime.now(UTC),
            }
        )
    return made


def _as_json(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "content": msgspec.json.encode(row["content"]).decode()}


def _make_session(database: str) -> None:
    with psycopg.connect(database) as connection:
        connection.execute(
            "INSERT INTO sessions (id, owner_id, user_id, session_type, metadata, summary,"
            " created_at, updated_at, is_archived)"
            " VALUES (%s, %s, 'bench-floor', 'conversation', '{}', '', now(), now(), false)"
            " ON CONFLICT DO NOTHING",
            [_SESSION, _OWNER],
        )
