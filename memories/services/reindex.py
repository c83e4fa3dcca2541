"""The words of all memories indexed anew, in another language. Called by `rebuild_search`."""

from typing import NamedTuple

from memories.changes import rows
from memories.services.words import forget_language, words_in_sql


class Reindexed(NamedTuple):
    """`last_id`: of the memories looked at, "" when all have been; `looked_at`: how many."""

    last_id: str
    looked_at: int


def kept_language() -> str | None:
    """The language in which this database's words are kept; None before the first start."""
    found = rows("SELECT search_language FROM installation")
    return found[0][0] if found else None


def count_memories() -> int:
    """All of them, the deleted too: they may be restored."""
    [(count,)] = rows("SELECT count(*) FROM memory_entries")
    return int(count)


def reindex_words(language: str, after_id: str, limit: int) -> Reindexed:
    """Up to `limit` memories in the order of their ids: start with "" and go on from the last id.

    What is indexed so already stays untouched, so that a repeat costs little. `language` is one of
    `known_languages`.
    """
    [(last_id, count)] = rows(
        f"""
        WITH batch AS (
            SELECT m.owner_id, m.id, {words_in_sql(language, "m.text")} AS search
            FROM memory_entries m WHERE m.id > %(after)s ORDER BY m.id LIMIT %(limit)s
            FOR UPDATE OF m),
        changed AS (
            UPDATE memory_entries m SET search = b.search, words = length(b.search)
            FROM batch b
            WHERE m.owner_id = b.owner_id AND m.id = b.id AND m.search IS DISTINCT FROM b.search)
        SELECT max(id), count(*) FROM batch""",
        {"after": after_id, "limit": limit},
    )
    return Reindexed(last_id or "", count)


def keep_language(language: str) -> None:
    """Record it: from now on SEARCH_LANGUAGE must be this one."""
    rows(
        """
        INSERT INTO installation (id, search_language) VALUES (1, %s)
        ON CONFLICT (id) DO UPDATE SET search_language = excluded.search_language""",
        [language],
    )
    forget_language()
