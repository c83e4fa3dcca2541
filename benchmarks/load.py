"""Fills a database with memories of many owners, to measure what size costs. Not for real data.

    DATABASE_URL=... python -m benchmarks.load --rows 1000000 [--owners 1000] [--large 10000 ...]

Works in the database that the settings name, whose tables must be there (`manage.py migrate`).
Text is believable talk; vectors, where a model is active there, are unit vectors by chance around
common centres. Rows come by COPY and one INSERT a chunk, two chunks at a time; what can be indexed
later is, and no orchestrator builds the vector index meanwhile.
"""

import argparse
import os
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import repeat
from typing import Any, NamedTuple
from uuid import UUID

import django
import msgspec
import numpy as np
from django.db import connection
from rich.progress import track

from benchmarks.vectors import share_tags, unit_vectors
from benchmarks.workload import LARGE_USER, Talk
from memories import ids

_CHUNK_ROWS = 20_000
_AT_A_TIME = 2  # while one chunk's text and vectors are made here, the database stores another's
_SESSION_ROWS = 50  # memories of one session
_SESSIONS_MOST = 20
_REBUILD_ROWS = 50_000  # from so many on, indexes are dropped first and built after
_INDEX_BYTES_MORE = 700  # what the HNSW index takes in memory for a vector, beside its numbers
_YEAR = timedelta(days=365)

_STAGE_SQL = """
CREATE TEMPORARY TABLE IF NOT EXISTS bench_stage (id text, owner_id uuid, session_id text,
    memory_type text, content jsonb, content_bytes int, tags text[], priority int,
    created_at timestamptz) ON COMMIT PRESERVE ROWS"""


@dataclass(frozen=True, slots=True)
class Speaker:
    """An owner with the sessions that its memories are spread over."""

    owner_id: UUID
    user_id: str
    sessions: Sequence[str]

    def says(self, ordinal: int, memories: int) -> "Said":
        """One memory of so many, which its sessions share in their order."""
        return Said(self.owner_id, self.sessions[ordinal * len(self.sessions) // memories])


class Said(NamedTuple):
    """Of which owner and session a memory is."""

    owner_id: UUID
    session_id: str


@dataclass(frozen=True, slots=True)
class Model:
    id: int
    dimension: int


def user_of(number: int) -> str:
    return f"bench-user-{number}"


def large_user(number: int) -> str:
    return f"{LARGE_USER}-{number}" if number else LARGE_USER


def load(rows: int, owners: int, large: Sequence[int], *, tagged: bool = False) -> None:
    """Add `rows` memories spread evenly over `owners`, and as many as `large` says of one owner
    more, each."""
    each = -(-rows // owners)
    everyone = [_speaker(user_of(number), each) for number in range(min(owners, rows))]
    said = [everyone[number % owners].says(number // owners, each) for number in range(rows)]
    for number, count in enumerate(large):
        speaker = _speaker(large_user(number), count)
        everyone.append(speaker)
        said += [speaker.says(ordinal, count) for ordinal in range(count)]
    if not said:
        return
    _store_sessions(everyone)
    model = _active_model()
    with _indexes_built_after(len(said), model):

        def store_chunk(start: int) -> None:
            made = _store_rows(said[start : start + _CHUNK_ROWS], start, len(said), tagged=tagged)
            if model:
                _store_vectors(made, model, start)

        _for_all(range(0, len(said), _CHUNK_ROWS), store_chunk)
    for table in ("sessions", "memory_entries", "embeddings"):
        _run(f"VACUUM (ANALYZE) {table}")


def _for_all(starts: Sequence[int], store_chunk: Callable[[int], None]) -> None:
    if len(starts) == 1:
        store_chunk(starts[0])
        return
    with ThreadPoolExecutor(_AT_A_TIME) as pool:
        storing = pool.map(store_chunk, starts)
        for _ in track(storing, "memories", total=len(starts)):
            pass


def _run(sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return cursor.fetchall() if cursor.description else []


def _speaker(user_id: str, memories: int) -> Speaker:
    owner_id = ids.owner_of_user(user_id)
    count = max(1, min(memories // _SESSION_ROWS, _SESSIONS_MOST))
    made = [ids.session_id(owner_id, secrets.token_bytes(16)) for _ in range(count)]
    return Speaker(owner_id, user_id, made)


def _store_sessions(speakers: Iterable[Speaker]) -> None:
    rows = [(an_id, each.owner_id, each.user_id) for each in speakers for an_id in each.sessions]
    _run(
        "INSERT INTO sessions (id, owner_id, user_id, session_type, metadata, summary, created_at,"
        " updated_at, is_archived)"
        " SELECT id, owner_id, user_id, 'conversation', '{}', '', now(), now(), false"
        " FROM unnest(%s::text[], %s::uuid[], %s::text[]) AS n (id, owner_id, user_id)",
        [list(column) for column in zip(*rows, strict=True)],
    )


def _store_rows(
    said: Sequence[Said], start: int, total: int, *, tagged: bool
) -> list[tuple[UUID, str]]:
    """Returns owner and id of each row. `start`: how many of `total` came before."""
    talk = Talk(seed=start)
    more_tags = share_tags(len(said), start) if tagged else repeat([])
    since = datetime.now(UTC) - _YEAR
    made = []
    with connection.cursor() as cursor:
        cursor.execute(_STAGE_SQL)
        with cursor.copy("COPY bench_stage FROM STDIN") as copy:
            # Not strict: without shares, there is no end of empty lists.
            for number, (of, tags) in enumerate(zip(said, more_tags, strict=False), start):
                memory = talk.memory()
                content = msgspec.json.encode(memory["content"]).decode()
                an_id = ids.memory_id(of.owner_id, secrets.token_bytes(16))
                made.append((of.owner_id, an_id))
                copy.write_row(
                    (
                        an_id,
                        of.owner_id,
                        of.session_id,
                        memory["memory_type"],
                        content,
                        len(content),
                        memory["tags"] + tags,
                        memory["priority"],
                        since + _YEAR * (number / total),
                    )
                )
        cursor.execute(_insert_sql())
        cursor.execute("TRUNCATE bench_stage")
    return made


def _insert_sql() -> str:
    from memories.services.words import made_of_content_sql

    return f"""
    INSERT INTO memory_entries (id, owner_id, session_id, memory_type, content, content_bytes, text,
        speaker, words, search, tags, priority, source_agent, created_by, version, content_version,
        created_at, updated_at)
    SELECT n.id, n.owner_id, n.session_id, n.memory_type, n.content, n.content_bytes, made.text,
        made.speaker, length(made.search), made.search, n.tags, n.priority, 'voice', '', 1, 1,
        n.created_at, n.created_at
    FROM bench_stage n CROSS JOIN LATERAL {made_of_content_sql("n.content")} made"""


def _active_model() -> Model | None:
    found = _run("SELECT id, dimension FROM embedding_models WHERE state = 'active'")
    return Model(*found[0]) if found else None


def _store_vectors(made: Sequence[tuple[UUID, str]], model: Model, seed: int) -> None:
    """By binary COPY: as text, a vector takes longer to write and read than to store."""
    record = np.dtype(
        [
            ("fields", ">i2"),
            *_field("owner", "V16"),
            *_field("memory", f"V{len(made[0][1])}"),
            *_field("model", ">i8"),
            *_field("version", ">i4"),
            ("vector_bytes", ">i4"),
            ("dimension", ">i2"),
            ("unused", ">i2"),
            ("vector", ">f4", (model.dimension,)),
        ]
    )
    records = np.zeros(len(made), record)
    records["fields"] = 5
    for name in ("owner", "memory", "model", "version"):
        records[f"{name}_bytes"] = record[name].itemsize
    records["owner"] = np.array([owner.bytes for owner, _ in made], "V16")
    records["memory"] = np.array([an_id.encode() for _, an_id in made], record["memory"])
    records["model"], records["version"] = model.id, 1
    records["vector_bytes"] = 4 + 4 * model.dimension
    records["dimension"] = model.dimension
    records["vector"] = unit_vectors(len(made), model.dimension, seed)
    columns = "owner_id, memory_id, model_id, version, embedding"
    with connection.cursor() as cursor:
        sql = f"COPY embeddings ({columns}) FROM STDIN (FORMAT binary)"
        with cursor.copy(sql) as copy:
            copy.write(b"PGCOPY\n\xff\r\n\0" + bytes(8))
            copy.write(records.tobytes())
            copy.write(b"\xff\xff")


def _field(name: str, kind: str) -> list[tuple[str, str]]:
    return [(f"{name}_bytes", ">i4"), (name, kind)]


@contextmanager
def _indexes_built_after(rows: int, model: Model | None) -> Iterator[None]:
    """Drop the plain indexes of memory_entries, and that of the vectors, and build them once all
    rows are there."""
    from memories.services.embedding.vector_index import LOCK, drop_index

    found = []
    if rows >= _REBUILD_ROWS:
        found = _run(
            "SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index"
            " WHERE indrelid = 'memory_entries'::regclass AND NOT indisunique"
        )
        _run("SELECT pg_advisory_lock(%s)", [LOCK])  # else an orchestrator would build it now
        if model:
            drop_index(model.id)
    for name, _ in found:
        _run(f"DROP INDEX {name}")
    try:
        yield
    finally:
        for _, definition in track(found, "indexes", disable=not found):
            _run(definition)
        if model:
            _index_vectors()
        _run("SELECT pg_advisory_unlock_all()")


def _index_vectors() -> None:
    """Where an orchestrator would, with as much memory as the whole graph takes: built on disk,
    it takes ten times as long."""
    from memories.models import EmbeddingModel
    from memories.services.embedding.vector_index import index_vectors, wants_index

    model = EmbeddingModel.objects.get(state="active")
    if wants_index(model):
        [(count,)] = _run("SELECT count(*) FROM embeddings WHERE model_id = %s", [model.id])
        kilobytes = count * (2 * model.dimension + _INDEX_BYTES_MORE) * 5 // 4096
        _run(f"SET maintenance_work_mem = {max(64 << 10, min(kilobytes, 8 << 20))}")
        index_vectors(model)
        _run("RESET maintenance_work_mem")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--owners", type=int, default=1_000)
    parser.add_argument(
        "--large", type=int, nargs="+", default=[], help="memories of one owner more, each"
    )
    parser.add_argument("--tagged", action="store_true", help="with tags of known shares")
    options = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "memoryproject.settings")
    django.setup()
    start = time.perf_counter()
    load(options.rows, options.owners, options.large, tagged=options.tagged)
    print(f"{options.rows + sum(options.large)} memories in {time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
