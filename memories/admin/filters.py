"""Filters of lists, each a field of one form. None asks the table which values it holds: that
reads all of it."""

from collections.abc import Iterator, Mapping
from datetime import date, datetime, time, timedelta
from typing import Any

from django import forms
from django.contrib.admin import SimpleListFilter
from django.contrib.admin.options import IncorrectLookupParameters
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

Text = str | Promise
Choices = list[tuple[str, Any]]

_AGES: Mapping[str, tuple[Text, timedelta]] = {
    "hour": (_("Past hour"), timedelta(hours=1)),
    "day": (_("Past 24 hours"), timedelta(days=1)),
    "week": (_("Past 7 days"), timedelta(days=7)),
    "month": (_("Past 30 days"), timedelta(days=30)),
}


class FormFilter(SimpleListFilter):
    """One field. `narrow` gets what was typed, or None."""

    template = "memories/filter.html"
    parameter_name: str

    def __init__(self, request: HttpRequest, params: Any, model: Any, model_admin: Any) -> None:
        self.request = request
        super().__init__(request, params, model, model_admin)

    def has_output(self) -> bool:
        return True

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        return []

    def field(self) -> forms.Field:
        widget = UnfoldAdminTextInputWidget()
        return forms.CharField(label=self.title, required=False, widget=widget)

    def choices(self, changelist: Any) -> Iterator[Any]:
        form = forms.Form({self.parameter_name: self.value()}, auto_id="filter-%s")
        form.fields[self.parameter_name] = self.field()
        yield {"field": form[self.parameter_name]}

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        value = self.value() or None
        if value is not None and "\0" in value:
            raise IncorrectLookupParameters(self.title)
        return self.narrow(queryset, value)

    def narrow(self, queryset: QuerySet[Any], value: str | None) -> QuerySet[Any]:
        raise NotImplementedError


class ChoiceFilter(FormFilter):
    """One of named choices; `default` is the label of none. An unknown one is refused."""

    default: Text = _("All")
    labels: Mapping[str, Text] = {}

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        return list(self.labels.items())

    def field(self) -> forms.Field:
        choices = [("", self.default), *self.lookup_choices]
        widget = UnfoldAdminSelectWidget()
        return forms.ChoiceField(label=self.title, required=False, choices=choices, widget=widget)

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if (value := self.value()) and value not in self.labels:
            raise IncorrectLookupParameters(f"{self.title}: {value}")
        return super().queryset(request, queryset)


class AgeFilter(ChoiceFilter):
    """Rows whose time is not older than that. `time_field` has an index."""

    time_field = "created_at"
    title = _("time")
    parameter_name = "within"
    default = _("Any time")
    labels = {name: label for name, (label, _age) in _AGES.items()}

    def narrow(self, queryset: QuerySet[Any], value: str | None) -> QuerySet[Any]:
        start = start_of_age(value)
        return queryset.filter(**{f"{self.time_field}__gte": start}) if start else queryset


class LastAtFilter(AgeFilter):
    time_field = "last_at"


class DayFilter(FormFilter):
    """A day in the viewer's zone."""

    def field(self) -> forms.Field:
        widget = UnfoldAdminTextInputWidget({"type": "date"})
        return forms.CharField(label=self.title, required=False, widget=widget)

    def narrow(self, queryset: QuerySet[Any], value: str | None) -> QuerySet[Any]:
        if not value:
            return queryset
        try:
            return self.narrow_by_day(queryset, date.fromisoformat(value))
        except (ValueError, OverflowError) as error:
            raise IncorrectLookupParameters(f"{self.title}: {value}") from error

    def narrow_by_day(self, queryset: QuerySet[Any], day: date) -> QuerySet[Any]:
        raise NotImplementedError


def start_of_age(age: str | None) -> datetime | None:
    """When something was that old. `age`: one of AgeFilter's labels, or nothing."""
    return timezone.now() - _AGES[age][1] if age else None


def start_of(day: date) -> datetime:
    """Its midnight in the viewer's zone."""
    return timezone.make_aware(datetime.combine(day, time.min))
