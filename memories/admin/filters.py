"""Filters of lists. None asks the table which values it holds: that reads all of it."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

from django.contrib.admin import SimpleListFilter
from django.contrib.admin.options import IncorrectLookupParameters
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

Choices = list[tuple[str, str]]

_AGES = {
    "hour": ("Past hour", timedelta(hours=1)),
    "day": ("Past 24 hours", timedelta(days=1)),
    "week": ("Past 7 days", timedelta(days=7)),
    "month": ("Past 30 days", timedelta(days=30)),
}


class ChoiceFilter(SimpleListFilter):
    """One of named choices; `default` is the label of none. An unknown one is refused."""

    default = "All"
    labels: Mapping[str, str] = {}

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        return list(self.labels.items())

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        value = self.value()
        if value is not None and (value not in self.labels or "\0" in value):
            raise IncorrectLookupParameters(f"{self.title}: {value}")
        return self.narrow(queryset, value)

    def narrow(self, queryset: QuerySet[Any], value: str | None) -> QuerySet[Any]:
        """`value`: one of `labels`, or None."""
        raise NotImplementedError

    def choices(self, changelist: Any) -> Iterator[Any]:
        none, *rest = super().choices(changelist)
        yield {**none, "display": self.default}
        yield from rest


class AgeFilter(ChoiceFilter):
    """Rows whose time is not older than that. `field` has an index."""

    field = "created_at"
    title = "time"
    parameter_name = "within"
    default = "Any time"
    labels = {name: label for name, (label, _) in _AGES.items()}

    def narrow(self, queryset: QuerySet[Any], value: str | None) -> QuerySet[Any]:
        return queryset.filter(**self.lookup(self.field, value)) if value else queryset

    def lookup(self, field: str, value: str) -> dict[str, Any]:
        return {f"{field}__gte": timezone.now() - _AGES[value][1]}


class LastAtFilter(AgeFilter):
    field = "last_at"
