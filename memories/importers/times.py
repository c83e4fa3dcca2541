"""Times that a file does not tell: the row's neighbour's, else the file's own."""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import NamedTuple, TypeVar

import msgspec

from memories.importers.rows import OldMemory, OldSession, OldTie

_MOST_WAITING = 1000

Row = TypeVar("Row", OldMemory, OldSession, OldTie)


class _Neighbour(NamedTuple):
    at: datetime
    group: object


def with_times(
    items: Iterable[Row], modified_at: datetime, note: Callable[[Row, str], None]
) -> Iterator[Row]:
    """The rows in their order, each with a `created_at`. A neighbour of the same session counts
    before any other, and the row before it before the one after. `note` hears what was done."""
    before: _Neighbour | None = None
    waiting: list[Row] = []
    for item in items:
        if item.created_at is None:
            waiting.append(item)
            if len(waiting) < _MOST_WAITING:
                continue
        after = _Neighbour(item.created_at, _group(item)) if item.created_at else None
        for one in waiting:
            yield _filled(one, before, after, modified_at, note)
        waiting.clear()
        if after:
            before = after
            yield item
    for one in waiting:
        yield _filled(one, before, None, modified_at, note)


def _filled(
    item: Row,
    before: _Neighbour | None,
    after: _Neighbour | None,
    modified_at: datetime,
    note: Callable[[Row, str], None],
) -> Row:
    near = [one for one in (before, after) if one is not None]
    near.sort(key=lambda one: one.group != _group(item))  # stable: the one before comes first
    if near:
        note(item, "took the neighbour's time")
    else:
        note(item, "took the time when the file was last changed")
    at = near[0].at if near else modified_at
    if isinstance(item, OldMemory):
        return msgspec.structs.replace(item, created_at=at, is_time_known=False)
    return msgspec.structs.replace(item, created_at=at)


def _group(item: OldMemory | OldSession | OldTie) -> object:
    return item.name.session if isinstance(item, OldMemory) else None
