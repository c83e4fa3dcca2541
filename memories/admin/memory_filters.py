"""Filters of the list of memories, and what they mean to a search. Every state has its own order
and its own index."""

from datetime import date, datetime, timedelta
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from memories.admin.filters import AgeFilter, ChoiceFilter, Choices, DayFilter, FormFilter, start_of
from memories.admin.finding import owner_called, sessions_called
from memories.models import Embedding, EmbeddingModel, MemoryEntry

_NEWEST = 1_000
# The column that the list of each state is ordered by; every one has an index of its own.
TIMES = {
    "": "created_at",
    "unembedded": "created_at",
    "deleted": "deleted_at",
    "expired": "expires_at",
}
# All rows, said so that the partial indexes of either half can serve the conditions beside it.
_EITHER = Q(deleted_at=None) | Q(deleted_at__isnull=False)
_ACTIVE = EmbeddingModel.objects.filter(state=EmbeddingModel.State.ACTIVE)
# Has a vector of what it says now, by the model that serves.
_EMBEDDED = Exists(
    Embedding.objects.filter(
        owner_id=OuterRef("owner_id"),
        memory_id=OuterRef("pk"),
        version=OuterRef("content_version"),
        model_id=Subquery(_ACTIVE.values("pk")[:1]),
    )
)


class StateFilter(ChoiceFilter):
    title = _("state")
    parameter_name = "state"
    default = _("Alive")
    labels = {
        "unembedded": _("Alive, not embedded"),
        "deleted": _("Deleted"),
        "expired": _("Expired"),
        "all": _("All"),
    }

    def narrow(self, queryset: Any, value: str | None) -> Any:
        match value:
            case "deleted":
                return queryset.deleted()
            case "expired":
                return queryset.expired()
            case "all":
                return queryset.filter(_EITHER)
            case "unembedded":
                return queryset.alive().filter(~_EMBEDDED).exclude(text="")
            case _:
                return queryset.alive()


class UserFilter(FormFilter):
    title = _("user")
    parameter_name = "user"

    def narrow(self, queryset: QuerySet[Any], value: str | None) -> QuerySet[Any]:
        return queryset.filter(owner_id=owner_called(value)) if value else queryset


class SessionFilter(FormFilter):
    """A session, or the beginning of the ids of several."""

    title = _("session")
    parameter_name = "session"

    def narrow(self, queryset: QuerySet[Any], value: str | None) -> QuerySet[Any]:
        return queryset.filter(sessions_called(value)) if value else queryset


class TypeFilter(ChoiceFilter):
    """The types of the newest memories, or any by `?memory_type=`: to ask for all is a scan."""

    title = _("type")
    parameter_name = "memory_type"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        newest = MemoryEntry.all_objects.filter(deleted_at=None).order_by("-created_at", "pk")
        recent = newest.values_list("memory_type", flat=True)[:_NEWEST]
        asked = self.value()
        self.labels = {name: name for name in sorted({*recent, *([asked] if asked else ())})}
        return super().lookups(request, model_admin)

    def narrow(self, queryset: QuerySet[Any], value: str | None) -> QuerySet[Any]:
        return queryset.filter(memory_type=value) if value else queryset


class TagFilter(FormFilter):
    title = _("tag")
    parameter_name = "tag"

    def narrow(self, queryset: QuerySet[Any], value: str | None) -> QuerySet[Any]:
        return queryset.filter(tags__contains=[value]) if value else queryset


class AgentFilter(FormFilter):
    title = _("agent")
    parameter_name = "agent"

    def narrow(self, queryset: QuerySet[Any], value: str | None) -> QuerySet[Any]:
        return queryset.filter(source_agent=value) if value else queryset


class MemoryAgeFilter(AgeFilter):
    """Of the time that the list is ordered by."""

    def narrow(self, queryset: QuerySet[Any], value: str | None) -> QuerySet[Any]:
        self.time_field = time_of(self.request)
        return super().narrow(queryset, value)


class FromFilter(DayFilter):
    title = _("from")
    parameter_name = "from"

    def narrow_by_day(self, queryset: QuerySet[Any], day: date) -> QuerySet[Any]:
        return queryset.filter(**{f"{time_of(self.request)}__gte": start_of(day)})


class ToFilter(DayFilter):
    title = _("to")
    parameter_name = "to"

    def narrow_by_day(self, queryset: QuerySet[Any], day: date) -> QuerySet[Any]:
        end = start_of(day + timedelta(days=1))
        return queryset.filter(**{f"{time_of(self.request)}__lt": end})


FILTERS = (
    StateFilter,
    UserFilter,
    SessionFilter,
    TypeFilter,
    TagFilter,
    AgentFilter,
    MemoryAgeFilter,
    FromFilter,
    ToFilter,
)


def state_asked_for(request: HttpRequest) -> str:
    """A label of StateFilter; "" for what is alive."""
    return request.GET.get(StateFilter.parameter_name, "")


def time_of(request: HttpRequest) -> str:
    return TIMES.get(state_asked_for(request), "created_at")


# What is rare is looked for among so many: beyond, the list would be stopped before its end.
LOOKED_THROUGH = 200_000
_RARE = (TypeFilter, TagFilter, AgentFilter)


def oldest_looked_at(request: HttpRequest) -> datetime | None:
    """The time of the list's order up to which it is looked through; None: all of it, since an
    index serves the filters or there is not so much."""
    asked = {name for name, value in request.GET.items() if value}
    state, time = state_asked_for(request), TIMES.get(state_asked_for(request))
    is_rare = state == "unembedded" or asked & {known.parameter_name for known in _RARE}
    if not is_rare or time is None or asked & {"user", "session", "q"}:
        return None
    everything = MemoryEntry.all_objects.all()
    match state:
        case "deleted":
            of_state = everything.deleted()
        case "expired":
            of_state = everything.expired()
        case _:  # what has expired, too: the index alone then tells
            of_state = everything.filter(deleted_at=None)
    times = of_state.order_by(f"-{time}").values_list(time, flat=True)
    return next(iter(times[LOOKED_THROUGH : LOOKED_THROUGH + 1]), None)
