"""Find memories by what they say. Called by handlers, context and admin."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import msgspec

from memories.changes import rows
from memories.errors import MemoriesError, SearchFailed
from memories.services.filters import Filter, Scope, filter_row
from memories.services.lexical import LEXICAL_COLUMNS, LexicalRow, lexical_sql, read_query
from memories.services.results import MEMORY_COLUMN_COUNT, MEMORY_COLUMNS, Memory, memory_of
from memories.services.statistics import statistics_of


class SearchType(StrEnum):
    SEMANTIC = "semantic"
    KEYWORD = "keyword"
    HYBRID = "hybrid"


@dataclass(frozen=True, slots=True)
class Query:
    text: str
    filter: Filter
    search_type: SearchType = SearchType.HYBRID
    limit: int = 5


class Found(Memory, frozen=True, kw_only=True):
    similarity_score: float


class SearchMetadata(msgspec.Struct, frozen=True, omit_defaults=True):
    """`search_type` is the one that really ran; `partial` says that an arm took no part."""

    search_type: SearchType
    embedding_model: str | None
    query_embedding_dimension: int | None
    partial: bool | msgspec.UnsetType = msgspec.UNSET


class SearchResults(msgspec.Struct, frozen=True):
    results: list[Found]
    total_count: int
    search_metadata: SearchMetadata


def search_memories(queries: Sequence[Query]) -> list[SearchResults | MemoriesError]:
    """Best first. One statement a query: ranking outweighs the round trip, and a slow one
    delays no other."""
    return [_search(query) for query in queries]


def _search(query: Query) -> SearchResults | MemoriesError:
    if query.search_type is SearchType.SEMANTIC:
        return SearchFailed("No embedder is configured, so nothing can be found by meaning yet.")
    found, total = _by_words(query)
    metadata = SearchMetadata(
        SearchType.KEYWORD,
        None,
        None,
        partial=True if query.search_type is SearchType.HYBRID else msgspec.UNSET,
    )
    return SearchResults(found, total, metadata)


def _by_words(query: Query) -> tuple[list[Found], int]:
    parts = read_query(query.text)
    if query.filter.finds_nothing() or not parts.words:
        return [], 0
    statistics = statistics_of(None if query.filter.scope is Scope.ALL else query.filter.owner_id)
    parameters = LexicalRow(
        words=parts.words,
        must=parts.must,
        memory_count=statistics.memory_count,
        average_words=statistics.average_words,
        **msgspec.structs.asdict(filter_row(query.filter)),
    )
    found = rows(
        f"""
        WITH q AS (SELECT * FROM jsonb_to_record(%s::jsonb) AS q ({LEXICAL_COLUMNS})),
        {lexical_sql(query.filter.shape(), bool(parts.must))},
        best AS (
            SELECT r.*, count(*) OVER () AS total FROM ranked r
            ORDER BY r.lexical DESC, r.id LIMIT %s)
        SELECT {MEMORY_COLUMNS}, least(b.share, 1), b.total
        FROM best b JOIN memory_entries m ON m.id = b.id
        ORDER BY b.lexical DESC, b.id""",
        [msgspec.json.encode(parameters).decode(), query.limit],
    )
    return [_found(row) for row in found], found[0][-1] if found else 0


def _found(row: tuple[Any, ...]) -> Found:
    memory = msgspec.structs.asdict(memory_of(row))
    return Found(**memory, similarity_score=row[MEMORY_COLUMN_COUNT])
