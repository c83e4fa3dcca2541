"""The search field of the list of memories: the product's own hybrid search, within the filters
of the list, and why each memory was found."""

import contextlib
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _

from memories.admin.filters import start_of, start_of_age
from memories.admin.finding import owner_called, owners_of_called
from memories.admin.memory_filters import (
    LOOKED_THROUGH,
    oldest_looked_at,
    state_asked_for,
    time_of,
)
from memories.admin.paging import KeysetList
from memories.embedders.errors import EmbeddingError
from memories.errors import MemoriesError
from memories.services.embedding.models import serving
from memories.services.filters import Filter, Scope
from memories.services.owners import names_of
from memories.services.search.explain import Passage, explain_matches
from memories.services.search.find import search_memories
from memories.services.search.query import Query, SearchMetadata

SHOWN = 100


@dataclass(frozen=True, slots=True)
class Hit:
    """`place`: 0 for the best. `score`: from 0 to 1."""

    place: int
    score: float
    passage: Passage


@dataclass(frozen=True, slots=True)
class Search:
    """`hits` by the ids of their memories. `total`: how many passed; `note`: what weakened it."""

    hits: dict[str, Hit]
    owners: frozenset[UUID]
    total: int = 0
    note: str = ""


NO_SEARCH = Search({}, frozenset())


def load_embedder() -> None:
    """Before the list's transaction begins: a model takes seconds to load. Where it cannot, the
    search says so."""
    with contextlib.suppress(EmbeddingError):
        serving()


def search(request: HttpRequest, text: str) -> Search:
    """The best SHOWN memories for a text, in the scope that the list's filters name."""
    if state_asked_for(request):
        return replace(NO_SEARCH, note=_("A search finds what is alive: choose that state."))
    if (session_id := request.GET.get("session", "")) and _is_of_several(session_id):
        return replace(NO_SEARCH, note=_("Several sessions begin so; a search takes one of them."))
    [answer] = search_memories([Query(text, filter_of(request), limit=SHOWN)])
    if isinstance(answer, MemoriesError):
        return replace(NO_SEARCH, note=answer.message)
    found = {memory.memory_id: memory.similarity_score for memory in answer.results}
    names = names_of(found)
    passages = explain_matches(text, [(name.owner_id, name.id) for name in names.values()])
    hits = {
        an_id: Hit(place, score, passages[an_id])
        for place, (an_id, score) in enumerate(found.items())
        if an_id in passages  # else it was removed meanwhile
    }
    owners = frozenset(name.owner_id for name in names.values())
    return Search(hits, owners, answer.total_count, _weakness(answer.search_metadata))


def filter_of(request: HttpRequest) -> Filter:
    """What the filters of the list mean to the search."""
    asked = {name: str(value) for name, value in request.GET.items() if value}
    scope, owner_id, session_id = Scope.ALL, None, asked.get("session", "")
    if session_id:
        scope = Scope.SESSION
        owner_id, session_id = next(iter(owners_of_called(session_id)), (None, session_id))
    elif "user" in asked:
        scope, owner_id = Scope.USER, owner_called(asked["user"])
    return Filter(
        scope,
        session_id,
        owner_id,
        memory_types=tuple(_texts(asked, "memory_type")),
        tags=tuple(_texts(asked, "tag")),
        source_agent=asked.get("agent", ""),
        start=_latest(_start_of_day(asked.get("from"), 0), start_of_age(asked.get("within"))),
        before=_start_of_day(asked.get("to"), 1),
    )


def _is_of_several(session_id: str) -> bool:
    return len(owners_of_called(session_id)) > 1


def _texts(asked: dict[str, str], name: str) -> list[str]:
    return [asked[name]] if name in asked else []


def _start_of_day(day: str | None, days_later: int) -> datetime | None:
    return start_of(date.fromisoformat(day) + timedelta(days_later)) if day else None


def _latest(*moments: datetime | None) -> datetime | None:
    return max((moment for moment in moments if moment), default=None)


def _weakness(metadata: SearchMetadata) -> str:
    if metadata.partial is True:
        return _("Found by words alone: %(reason)s") % {"reason": _why_no_meaning()}
    if metadata.pending:
        return _("%(count)s memories have no vector yet, and are found by words alone.") % {
            "count": metadata.pending
        }
    return ""


def _why_no_meaning() -> str:
    try:
        current = serving()
    except EmbeddingError as error:
        return str(error)
    if current is None:
        return _("no embedding model is active.")
    return _("the embedding model could not read the query.")


class MemoryList(KeysetList):
    """The list of memories; after a search, what it found, best first, each row with its `hit`."""

    search_note: str = ""

    def get_queryset(self, request: HttpRequest, exclude_parameters: Any = None) -> QuerySet[Any]:
        queryset = super().get_queryset(request, exclude_parameters)
        if oldest := oldest_looked_at(request):
            told = _("Among the newest %(count)s; choose a user or a session to look through all.")
            self.search_note = told % {"count": f"{LOOKED_THROUGH:,}"}
            queryset = queryset.filter(**{f"{time_of(request)}__gte": oldest})
        return queryset

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        found: Search | None = getattr(request, "memory_search", None)
        if found is None:
            return
        self.earlier_url = self.later_url = None
        self.search_note = found.note
        if len(self.result_list) < found.total:
            self.told_count = _("the %(shown)s most relevant of %(total)s candidates") % {
                "shown": len(self.result_list),
                "total": found.total,
            }

    def _page(self, request: HttpRequest) -> list[Any]:
        found: Search | None = getattr(request, "memory_search", None)
        if found is None:
            return super()._page(request)
        listed = list(self.queryset[:SHOWN])
        for memory in listed:
            memory.hit = found.hits[memory.pk]
        return sorted(listed, key=lambda memory: memory.hit.place)
