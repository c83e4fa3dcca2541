"""Text for a prompt from what is stored: the session's latest turns, and what a query recalls from
the owner's past. Called by handlers and admin."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import msgspec

from memories.changes import rows
from memories.errors import MemoriesError
from memories.services.filters import (
    FILTER_COLUMNS,
    Filter,
    Scope,
    conditions_sql,
    filter_json,
)
from memories.services.results import MEMORY_COLUMN_COUNT, MEMORY_COLUMNS, Memory, memory_of, within
from memories.services.search.find import search_memories
from memories.services.search.query import Query, SearchMetadata
from memories.text.prompts import Remembered, write_prompt
from memories.text.tokens import count_tokens

DEFAULT_TOKENS = 2000
DEFAULT_RECENT = 50
# What a query recalls at most. The turns that are quoted anyway may be among the best that it
# finds: as many more are looked for, up to the second figure.
MAX_RECALLED = 30
_MAX_FOUND = 130
# No token is longer: what lies beyond budget times this never fits.
_CHARACTERS_A_TOKEN = 8


@dataclass(frozen=True, slots=True)
class ContextAsk:
    """`session`: a filter of scope `session`, with its owner. `recent`: so many turns at most."""

    session: Filter
    query: str = ""
    max_tokens: int = DEFAULT_TOKENS
    recent: int = DEFAULT_RECENT
    max_bytes: int = 15 << 20


class Context(msgspec.Struct, frozen=True, omit_defaults=True):
    """`memories`: those that `text` quotes, in its order. `search_metadata`: how the query was
    searched for, where there was one."""

    text: str
    token_count: int
    memories: list[Memory]
    search_metadata: SearchMetadata | msgspec.UnsetType = msgspec.UNSET


class _Quotable(NamedTuple):
    memory: Memory
    quote: Remembered


def build_context(asked: ContextAsk) -> Context:
    """Raises SearchFailed."""
    latest = _read_latest(asked)
    recalled, metadata = _recall(asked, len(latest)) if asked.query.strip() else ([], msgspec.UNSET)
    prompt = write_prompt(
        [one.quote for one in latest], [one.quote for one in recalled], asked.max_tokens
    )
    memories = {one.memory.memory_id: one.memory for one in (*recalled, *latest)}
    quoted = [memories[memory_id] for memory_id in prompt.memory_ids]
    return Context(prompt.text, count_tokens(prompt.text), quoted, metadata)


def _read_latest(asked: ContextAsk) -> list[_Quotable]:
    """The session's last turns that have a text, oldest first, within half of the bytes."""
    if asked.session.finds_nothing() or not asked.recent:
        return []
    found = rows(
        f"""
        SELECT {MEMORY_COLUMNS}, m.speaker, left(m.text, %s)
        FROM (
            SELECT m.*, sum(m.content_bytes) OVER (ORDER BY m.created_at DESC, m.id)
                - m.content_bytes AS bytes_ahead
            FROM (SELECT m.* FROM memory_entries m
                      CROSS JOIN jsonb_to_record(%s::jsonb) AS q ({FILTER_COLUMNS})
                  WHERE {conditions_sql(asked.session.shape())} AND m.text <> ''
                  ORDER BY m.created_at DESC, m.id LIMIT %s) m) m
        WHERE m.bytes_ahead < %s ORDER BY m.created_at DESC, m.id""",
        [
            asked.max_tokens * _CHARACTERS_A_TOKEN,
            filter_json(asked.session),
            asked.recent,
            asked.max_bytes // 2,
        ],
    )
    read = {row[0]: _quotable(memory_of(row), *row[MEMORY_COLUMN_COUNT:]) for row in found}
    kept = within([one.memory for one in read.values()], asked.max_bytes // 2)
    return [read[memory.memory_id] for memory in reversed(kept)]


def _recall(asked: ContextAsk, quoted: int) -> tuple[list[_Quotable], SearchMetadata]:
    """What the query finds in all that the session's owner has, best first."""
    [results] = search_memories(
        [
            Query(
                text=asked.query,
                filter=replace(asked.session, scope=Scope.USER),
                limit=min(MAX_RECALLED + quoted, _MAX_FOUND),
                max_bytes=asked.max_bytes // 2,
            )
        ]
    )
    if isinstance(results, MemoriesError):
        raise results
    quotes = _quotes(asked, [found.memory_id for found in results.results])
    recalled = [
        _quotable(found, *quotes[found.memory_id])
        for found in results.results
        if found.memory_id in quotes
    ]
    return recalled, results.search_metadata


def _quotes(asked: ContextAsk, memory_ids: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Speaker and text of each."""
    if not memory_ids:
        return {}
    found = rows(
        """
        SELECT m.id, m.speaker, left(m.text, %s) FROM memory_entries m
        WHERE m.owner_id = %s AND m.id = ANY(%s)""",
        [asked.max_tokens * _CHARACTERS_A_TOKEN, asked.session.owner_id, list(memory_ids)],
    )
    return {memory_id: (speaker, text) for memory_id, speaker, text in found}


def _quotable(memory: Memory, speaker: str, text: str) -> _Quotable:
    quote = Remembered(memory.memory_id, text, speaker, memory.created_at)
    return _Quotable(memory, quote)
