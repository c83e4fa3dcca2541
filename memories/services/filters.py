"""Which memories a request means: the scope and the filters that all of them share, as SQL.

A filter has a shape, the set of conditions that it uses. Requests of one shape run in one
statement, each a row of parameters `q`, so that a batch costs as many statements as one request.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

import msgspec

from memories.changes import ALIVE


class Scope(StrEnum):
    SESSION = "session"
    USER = "user"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class Filter:
    """`owner_id` is None where the session is unknown: then only scope `all` finds anything.
    Times are inclusive, on `created_at`; `before` is exclusive."""

    scope: Scope
    session_id: str = ""
    owner_id: UUID | None = None
    memory_types: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    all_tags: bool = False
    source_agent: str = ""
    start: datetime | None = None
    end: datetime | None = None
    before: datetime | None = None

    def finds_nothing(self) -> bool:
        return self.scope is not Scope.ALL and self.owner_id is None

    def searched_owner(self) -> UUID | None:
        """None where everyone's memories are searched."""
        return None if self.scope is Scope.ALL else self.owner_id

    def shape(self) -> tuple[str, ...]:
        return tuple(_used(self))


class FilterRow(msgspec.Struct):
    """The parameters of one filter; the columns of FILTER_COLUMNS."""

    owner_id: UUID | None
    session_id: str
    memory_types: tuple[str, ...]
    tags: tuple[str, ...]
    source_agent: str
    start: datetime | None
    end: datetime | None
    before: datetime | None


FILTER_COLUMNS = """owner_id uuid, session_id text, memory_types text[], tags varchar[],
    source_agent text, "start" timestamptz, "end" timestamptz, "before" timestamptz"""


def filter_row(filter_: Filter) -> FilterRow:
    return FilterRow(
        filter_.owner_id,
        filter_.session_id,
        filter_.memory_types,
        filter_.tags,
        filter_.source_agent,
        filter_.start,
        filter_.end,
        filter_.before,
    )


def filter_json(filter_: Filter) -> str:
    """The same as the JSON text that a statement takes."""
    return msgspec.json.encode(filter_row(filter_)).decode()


def conditions_sql(shape: Iterable[str]) -> str:
    """The conditions of a shape on a memory `m`, by the parameters of a row `q`."""
    return " AND ".join(_CONDITIONS[name] for name in shape)


_CONDITIONS = {
    "alive": ALIVE,
    "owner": "m.owner_id = q.owner_id",
    "session": "m.session_id = q.session_id",
    "types": "m.memory_type = ANY(q.memory_types)",
    "any_tag": "m.tags && q.tags",
    "all_tags": "m.tags @> q.tags",
    "agent": "m.source_agent = q.source_agent",
    "start": 'm.created_at >= q."start"',
    "end": 'm.created_at <= q."end"',
    "before": 'm.created_at < q."before"',
}


def _used(filter_: Filter) -> Iterable[str]:
    yield "alive"
    if filter_.scope is not Scope.ALL:
        yield "owner"
    if filter_.scope is Scope.SESSION:
        yield "session"
    if filter_.memory_types:
        yield "types"
    if filter_.tags:
        yield "all_tags" if filter_.all_tags else "any_tag"
    if filter_.source_agent:
        yield "agent"
    yield from (name for name in ("start", "end", "before") if getattr(filter_, name))
