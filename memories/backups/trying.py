"""Searches a restored database, as its users would: by words and by vectors."""

from typing import Any

import psycopg

from memories.backups.errors import BackupError
from memories.backups.server import Server

_TRIED = 5

# The longest word of each of the newest memories, as the index holds it.
_SAMPLES = """
SELECT m.id, (SELECT l.lexeme FROM unnest(m.search) l ORDER BY length(l.lexeme) DESC, 1 LIMIT 1)
FROM memory_entries m
WHERE m.deleted_at IS NULL AND m.search <> ''::tsvector
ORDER BY m.created_at DESC, m.id LIMIT %s"""

_BY_WORD = """
SELECT count(*) FROM memory_entries m
WHERE m.search @@ ('''' || replace(replace(%s, '\\', '\\\\'), '''', '''''') || '''')::tsquery
    AND m.id = %s"""

# A vector whose nearest one is further away than itself; a cosine is not exact.
_BY_VECTOR = """
SELECT count(*) FROM (
    SELECT (SELECT min(v.embedding <=> s.embedding) FROM embeddings v
        WHERE v.model_id = s.model_id) AS distance
    FROM (SELECT * FROM embeddings ORDER BY id LIMIT 1) s) tried
WHERE distance > 0.001"""


def try_searches(server: Server, database: str) -> int:
    """How many searches by words found the memory that they were made from.

    Raises BackupError where one did not.
    """
    with server.connect(database) as connection:
        connection.execute("SET enable_seqscan = off")  # the indexes are what is tried
        tried = connection.execute(_SAMPLES, [_TRIED]).fetchall()
        for memory_id, word in tried:
            if _count(connection, _BY_WORD, [word, memory_id]) != 1:
                raise BackupError(
                    f"The restored memory {memory_id} is not found by its word {word!r}."
                )
        if _count(connection, _BY_VECTOR, []) != 0:
            raise BackupError("The restored vectors cannot be searched.")
    return len(tried)


def _count(connection: "psycopg.Connection[Any]", statement: str, values: list[str]) -> int:
    [(count,)] = connection.execute(statement, values).fetchall()
    return int(count)
