"""What a search is asked for, and what it answers with."""

from dataclasses import dataclass
from enum import StrEnum

import msgspec

from memories.services.filters import Filter
from memories.services.results import Memory

# Of a deadline, what is kept for sending the answer.
RESERVE_SECONDS = 0.01


class SearchType(StrEnum):
    SEMANTIC = "semantic"
    KEYWORD = "keyword"
    HYBRID = "hybrid"


@dataclass(frozen=True, slots=True)
class Query:
    """`vector`: given by a client that embeds by itself. `deadline` (monotonic): what the vector
    arm has not found by then, it need not find, and where nothing is found the search has failed.
    `centred`: vectors are compared without what all of the owner's have in common."""

    text: str
    filter: Filter
    search_type: SearchType = SearchType.HYBRID
    limit: int = 5
    min_similarity: float = 0.0
    vector: tuple[float, ...] | None = None
    centred: bool = True
    deadline: float | None = None
    max_bytes: int = 15 << 20


class Found(Memory, frozen=True, kw_only=True):
    similarity_score: float


class SearchMetadata(msgspec.Struct, frozen=True, omit_defaults=True):
    """`search_type` is the one that really ran; `partial`: an arm took no part; `pending`:
    memories that could not be waited for until they have a vector."""

    search_type: SearchType
    embedding_model: str | None
    query_embedding_dimension: int | None
    partial: bool | msgspec.UnsetType = msgspec.UNSET
    pending: int | msgspec.UnsetType = msgspec.UNSET
    has_more: bool | msgspec.UnsetType = msgspec.UNSET


class SearchResults(msgspec.Struct, frozen=True):
    results: list[Found]
    total_count: int
    search_metadata: SearchMetadata
