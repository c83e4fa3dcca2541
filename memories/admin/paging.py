"""Lists that are quick at any depth: each page is what follows a row in the order of an index.
Every list of the admin is one."""

from typing import Any

from django.contrib.admin.options import IncorrectLookupParameters
from django.core.exceptions import ValidationError
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _
from unfold.views import ChangeList

AFTER, BEFORE = "after", "before"
_BETWEEN = "~"


class KeysetList(ChangeList):
    """Ordered as its screen says, by an index (`?o=` could ask for any column), and paged by the
    values of its first or last row: an OFFSET of a million reads a million rows.

    `earlier_url` and `later_url` lead to the neighbouring pages; None where there is none.
    """

    told_count: str = ""
    earlier_url: str | None = None
    later_url: str | None = None

    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Any]) -> list[Any]:
        return list(self.model_admin.get_ordering(request))

    def get_queryset(self, request: HttpRequest, exclude_parameters: Any = None) -> QuerySet[Any]:
        """Without the fields of the filters that were sent empty, and the place in the list."""
        for name, values in list(self.filter_params.items()):
            if name in (AFTER, BEFORE) or not any(values):
                del self.filter_params[name]
        queryset: QuerySet[Any] = super().get_queryset(request, exclude_parameters)
        return queryset

    def get_results(self, request: HttpRequest) -> None:
        self.paginator = self.model_admin.get_paginator(request, self.queryset, self.list_per_page)
        self.result_list = self._page(request)
        if self.earlier_url is None and self.later_url is None:
            self.paginator.count = len(self.result_list)  # to count a rare thing is a scan
        self.result_count = self.full_result_count = self.paginator.count
        self.show_full_result_count = self.can_show_all = self.multi_page = False
        self.show_admin_actions = bool(self.result_list)
        self.told_count = self._told_count()

    def _told_count(self) -> str:
        if self.paginator.is_estimate:
            return _("about %(count)s, as PostgreSQL estimates") % {
                "count": f"{self.result_count:,}"
            }
        noun = self.opts.verbose_name if self.result_count == 1 else self.opts.verbose_name_plural
        return f"{self.result_count:,} {noun}"

    def _page(self, request: HttpRequest) -> list[Any]:
        before = request.GET.get(BEFORE)
        place = before or request.GET.get(AFTER)
        found = self._beside(place, backwards=bool(before))
        has_more = len(found) > self.list_per_page
        found = found[: self.list_per_page]
        if before:
            found.reverse()
        if found and (has_more if before else place):
            self.earlier_url = self._url(BEFORE, found[0])
        if found and (before or has_more):
            self.later_url = self._url(AFTER, found[-1])
        return found

    def _url(self, direction: str, row: Any) -> str:
        return str(self.get_query_string({direction: self._place_of(row)}))

    def _beside(self, place: str | None, *, backwards: bool) -> list[Any]:
        """A page and one row more, in the direction of reading."""
        queryset = self.queryset
        if backwards:
            queryset = queryset.reverse()
        if place:
            queryset = queryset.filter(self._beyond(place, backwards))
        return list(queryset[: self.list_per_page + 1])

    def _columns(self) -> list[tuple[str, bool]]:
        """Each column of the order, and whether it falls."""
        ordering = self.queryset.query.order_by
        return [(str(name).lstrip("-"), str(name).startswith("-")) for name in ordering]

    def _place_of(self, row: Any) -> str:
        fields = (self._field(name) for name, _ in self._columns())
        return _BETWEEN.join(field.value_to_string(row) for field in fields)

    def _beyond(self, place: str, backwards: bool) -> Q:
        """The rows that come after that place: by a time and then the key, or by the key."""
        columns = self._columns()
        values = place.split(_BETWEEN, len(columns) - 1)
        try:
            read = [
                (name, falls != backwards, self._field(name).to_python(value))
                for (name, falls), value in zip(columns, values, strict=True)
            ]
        except (ValidationError, ValueError) as error:
            raise IncorrectLookupParameters(place) from error
        *times, (key, key_falls, key_value) = read
        beyond = Q(**{f"{key}__{_than(key_falls)}": key_value})
        for name, falls, value in times:
            # The first condition is what an index can begin at; Postgres does not see it in an OR.
            strictly = Q(**{f"{name}__{_than(falls)}": value})
            beyond = Q(**{f"{name}__{_than(falls)}e": value}) & (strictly | beyond)
        return beyond

    def _field(self, name: str) -> Any:
        return self.opts.pk if name == "pk" else self.opts.get_field(name)


def _than(falls: bool) -> str:
    return "lt" if falls else "gt"
