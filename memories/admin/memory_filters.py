"""Filters of the list of memories; every state has its own order and its own index."""

from typing import Any

from django.db.models import Q, QuerySet
from django.http import HttpRequest

from memories.admin.filters import AgeFilter, ChoiceFilter, Choices
from memories.models import MemoryEntry

_NEWEST = 1_000
# The column that the list of each state is ordered by; every one has an index of its own.
TIMES = {"": "created_at", "deleted": "deleted_at", "expired": "expires_at"}
# All rows, said so that the partial indexes of either half can serve the conditions beside it.
_EITHER = Q(deleted_at=None) | Q(deleted_at__isnull=False)


class StateFilter(ChoiceFilter):
    title = "state"
    parameter_name = "state"
    default = "Alive"
    labels = {"deleted": "Deleted", "expired": "Expired", "all": "All"}

    def narrow(self, queryset: Any, value: str | None) -> Any:
        match value:
            case "deleted":
                return queryset.deleted()
            case "expired":
                return queryset.expired()
            case "all":
                return queryset.filter(_EITHER)
            case _:
                return queryset.alive()


class TypeFilter(ChoiceFilter):
    """The types of the newest memories, or any by `?memory_type=`: to ask for all is a scan."""

    title = "type"
    parameter_name = "memory_type"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        newest = MemoryEntry.all_objects.filter(deleted_at=None).order_by("-created_at", "pk")
        recent = newest.values_list("memory_type", flat=True)[:_NEWEST]
        asked = self.value()
        self.labels = {name: name for name in sorted({*recent, *([asked] if asked else ())})}
        return super().lookups(request, model_admin)

    def narrow(self, queryset: QuerySet[Any], value: str | None) -> QuerySet[Any]:
        return queryset.filter(memory_type=value) if value else queryset


class MemoryAgeFilter(AgeFilter):
    """Of the time that the list is ordered by."""

    def narrow(self, queryset: QuerySet[Any], value: str | None) -> QuerySet[Any]:
        field = TIMES.get(state_asked_for(self.request), "created_at")
        return queryset.filter(**self.lookup(field, value)) if value else queryset


def state_asked_for(request: HttpRequest) -> str:
    """A label of StateFilter; "" for what is alive."""
    return request.GET.get(StateFilter.parameter_name, "")
