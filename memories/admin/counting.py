"""How long a list is, at any size: counted up to a limit, and estimated beyond. Every list of the
admin uses it."""

import json
from functools import cached_property
from typing import Any

from django.core.paginator import Paginator
from django.db.models import QuerySet

COUNT_LIMIT = 10_000


class BoundedPaginator(Paginator):  # type: ignore[type-arg]
    """Never counts a whole table: of a million rows that alone would take seconds."""

    template_name = "memories/paging.html"

    @cached_property
    def count(self) -> int:
        """Exact up to COUNT_LIMIT; beyond, what the planner expects of the same query."""
        counted: int = self._rows.values("pk")[: COUNT_LIMIT + 1].count()
        return counted if counted <= COUNT_LIMIT else max(counted, self._estimate())

    @property
    def is_estimate(self) -> bool:
        return self.count > COUNT_LIMIT

    @property
    def _rows(self) -> QuerySet[Any]:
        return self.object_list  # type: ignore[return-value]

    def _estimate(self) -> int:
        """The planner knows how many rows the table has (pg_class.reltuples, scaled by its
        present size), and how selective the conditions are."""
        plan = json.loads(self._rows.order_by().explain(format="json"))
        return int(plan[0]["Plan"]["Plan Rows"])
