"""The owners' indexes of this process, as the database has them now. Called by owner_search.

Whether one is up to date is asked before each use: each vector that comes, goes or is made anew
changes the count or the sum of its owner's vector ids, whichever process made it, and so does a new
priority. What else changes (tags, type, expiry) is asked of the database by who searches.
"""

import logging
import time
from collections import OrderedDict
from collections.abc import Iterable
from threading import Lock
from typing import Any, TypeAlias
from uuid import UUID

from django.conf import settings
from django.db import DatabaseError, connection

from memories.changes import rows
from memories.deadlines import limit_statement
from memories.services.embedding.model_threads import in_model_thread
from memories.services.embedding.vector_index import EXACT_UP_TO
from memories.services.search.ask import ASKS, CREATED_US, Ask
from memories.services.search.owner_index import Entry, Mark, OwnerIndex, expected_bytes
from memories.services.search.vectors import read_vector

logger = logging.getLogger(__name__)

# One that was used within this time makes no room for another: where the owners who search are
# more than fit, each search would read all that its owner has, which of a large one takes several
# times as long as the database's answer.
_IDLE_SECONDS = 60.0
# So few may be read while somebody waits with a deadline.
_QUICKLY_READ = 200


# The count and the sum of the ids of an owner's vectors. Parameters: owner, model.
MARK = """
SELECT count(*), coalesce(sum(id), 0)::bigint FROM embeddings
WHERE owner_id = %(owner)s AND model_id = %(model)s"""


Key: TypeAlias = tuple[UUID, int]  # of an owner and a model


class _Indexes:
    """Bounded by SEARCH_MEGABYTES; what was used least lately goes first."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Key, OwnerIndex] = OrderedDict()
        # As they were weighed last: thousands of owners are not added up at each search.
        self._weights: dict[Key, int] = {}
        self._size_bytes = 0
        self._lock = Lock()

    def get(self, key: Key) -> OwnerIndex | None:
        with self._lock:
            if (index := self._kept.get(key)) is not None:  # one that is empty is in use too
                self._kept.move_to_end(key)
                index.used_at = time.monotonic()
            return index

    def get_or_open(self, key: Key, dimension: int) -> OwnerIndex:
        with self._lock:
            index = self._kept.get(key)
            if index is None:
                index = self._kept[key] = OwnerIndex(dimension)
                self._weigh(key)  # one that stays empty has its arrays too
            return index

    def forget(self, key: Key) -> None:
        with self._lock:
            self._drop(key)

    def forget_all(self) -> None:
        with self._lock:
            self._kept.clear()
            self._weights.clear()
            self._size_bytes = 0

    def size_bytes(self) -> int:
        return self._size_bytes

    def make_room(self, wanted_bytes: int) -> bool:
        """Forget what nobody has used for a while, as far as is needed; returns whether it was
        enough."""
        most_bytes = _most_bytes() - wanted_bytes
        if most_bytes < 0:
            return False
        idle_since = time.monotonic() - _IDLE_SECONDS
        with self._lock:
            while self._size_bytes > most_bytes:
                oldest = next(iter(self._kept))
                if self._kept[oldest].used_at > idle_since:
                    break
                self._drop(oldest)
            return self._size_bytes <= most_bytes

    def weigh(self, key: Key) -> None:
        """To be called after a change. What is beyond the bound goes, used lately or not."""
        with self._lock:
            if key in self._kept:
                self._weigh(key)

    def _weigh(self, key: Key) -> None:
        size_bytes = self._kept[key].size_bytes
        self._size_bytes += size_bytes - self._weights.get(key, 0)
        self._weights[key] = size_bytes
        if size_bytes > _most_bytes():
            self._drop(key)  # else it would drive out all the others first
        while self._size_bytes > _most_bytes():
            self._drop(next(iter(self._kept)))

    def _drop(self, key: Key) -> None:
        self._kept.pop(key, None)
        self._size_bytes -= self._weights.pop(key, 0)


def _most_bytes() -> int:
    return int(settings.SEARCH_MEGABYTES) << 20


indexes = _Indexes()
_being_made_ready: set[Key] = set()


def find_index(ask: Ask, owner_id: UUID, deadline: float | None) -> OwnerIndex | None:
    """The owner's index, to be synchronised before it is used; None where the database is to
    answer: the owner has too many memories, or there is no room, or a `deadline` leaves no time to
    read what is yet to be read, which is then made ready for the next search."""
    if not settings.SEARCH_MEGABYTES:
        return None
    key = owner_id, ask.model_id
    index = indexes.get(key)
    if index is None and _may_be_kept(ask):
        if deadline is None or ask.statistics.memory_count <= _QUICKLY_READ:
            return indexes.get_or_open(key, ask.dimension)
        _begin_to_make_ready(key, ask.dimension)
    return index


def forget_indexes() -> None:
    indexes.forget_all()


def synchronise(
    index: OwnerIndex,
    owner_id: UUID,
    model_id: int,
    mark: Mark | None = None,
    deadline: float | None = None,
) -> bool:
    """Bring in what has come and take out what has gone since, where `mark`, as the database has
    it now, tells that something did. With a `deadline`, False at once where much is new or somebody
    else is at it: it is made ready for the next search."""
    if mark == index.mark:
        return True
    key = owner_id, model_id
    if not index.lock.acquire(blocking=deadline is None):
        _begin_to_make_ready(key, index.dimension)
        return False
    try:
        if mark is not None and mark == index.mark:
            return True  # who held it until now has brought in what had come
        of_owner = {"owner": owner_id, "model": model_id}
        [(ids,)] = rows(
            """
            SELECT coalesce(array_agg(id), '{}') FROM embeddings
            WHERE owner_id = %(owner)s AND model_id = %(model)s""",
            of_owner,
        )
        now = set(ids)
        new = list(now - index.vector_ids)
        if deadline is not None and len(new) > _QUICKLY_READ:
            _begin_to_make_ready(key, index.dimension)
            return False
        index.change(index.vector_ids - now, _read(of_owner | {"ids": new}), len(new))
        # One whose memory has changed meanwhile was not read, and stands for nothing ever after.
        index.vector_ids = now
        index.mark = Mark(len(now), sum(now))
    finally:
        index.lock.release()
    if index.has_aged() or len(index) > EXACT_UP_TO:
        indexes.forget(key)
    indexes.weigh(key)
    return True


def _may_be_kept(ask: Ask) -> bool:
    count = ask.statistics.memory_count
    return count <= EXACT_UP_TO and indexes.make_room(expected_bytes(count, ask.dimension))


def _begin_to_make_ready(key: Key, dimension: int) -> None:
    """Once, however many ask: they would take the threads in which queries are embedded."""
    if key not in _being_made_ready:
        _being_made_ready.add(key)
        in_model_thread(_make_ready, key, dimension)


def _make_ready(key: Key, dimension: int) -> None:
    """In a thread of its own, which has a connection of its own."""
    try:
        synchronise(indexes.get_or_open(key, dimension), *key)
    except DatabaseError as error:
        logger.warning("An owner's vectors could not be read: %s", error)
    finally:
        _being_made_ready.discard(key)
        connection.close()


# In the order in which they were made; whether it is deleted, then what `Entry` names. Asked in the
# WHERE, "is it deleted?" would offer the planner the indexes of what is not: without statistics it
# then reads all of the owner's rows for each vector, 2.5 s for 550 of them.
_ENTRIES = f"""
SELECT m.deleted_at IS NOT NULL, e.id, m.id, m.session_id, {CREATED_US}, m.words, m.speaker,
    {ASKS}, char_length(m.text), m.priority, tsvector_to_array(m.search), vector_send(e.embedding)
FROM embeddings e JOIN memory_entries m
    ON m.owner_id = e.owner_id AND m.id = e.memory_id AND m.content_version = e.version
WHERE e.owner_id = %(owner)s AND e.model_id = %(model)s AND e.id = ANY(%(ids)s::bigint[])
ORDER BY e.id"""


def _read(parameters: dict[str, Any]) -> Iterable[Entry]:
    if not parameters["ids"]:
        return
    connection.ensure_connection()
    limit_statement()
    # Binary, since an owner's vectors take three times as long as text.
    with connection.connection.cursor(binary=True) as cursor:
        with connection.wrap_database_errors:
            cursor.execute(_ENTRIES, parameters)
        for is_deleted, *entry, vector in cursor:
            if not is_deleted:
                yield Entry._make((*entry, read_vector(vector)))
