"""Read your own writes, by meaning too: what a search could find but has no vector yet is embedded
first, within a bound. Called by search."""

import logging
import time
from collections.abc import Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from threading import Event, Lock

from django.conf import settings
from django.db import DatabaseError, connection

from memories.changes import rows
from memories.embedders.base import Embedder
from memories.services.embedding.model_threads import in_model_thread
from memories.services.embedding.models import Serving
from memories.services.embedding.tasks import (
    MAX_ATTEMPTS,
    Outcome,
    Task,
    Wanted,
    claim_tasks,
    keep_outcomes,
    make_vectors,
    release_tasks,
)
from memories.services.filters import Filter, Scope

logger = logging.getLogger(__name__)

# Tasks a turn: the bound may be over before all of them are done.
_BATCH = 8
_PAUSE_SECONDS = 0.005
# Of each second, what all searches of this process together may wait. Where more is stored than the
# model can follow, each search would wait for its bound, and all that stand behind it.
_WAITING_SHARE = 0.25
# Of EMBED_WAIT_SECONDS, how long a search with no more than a batch before it waits in any case:
# who stores little is found at once beside others who store much.
_SHORT_SHARE = 0.25


class _Allowance:
    """Seconds that searches may wait: `spend` takes from them, time brings them back. No more than
    EMBED_WAIT_SECONDS are ever owed, so that a burst is over for all within seconds."""

    def __init__(self) -> None:
        self._lock = Lock()
        self.renew()

    def renew(self) -> None:
        """As if nobody had waited yet."""
        self._owed_seconds = 0.0
        self._since = time.monotonic()

    def left_seconds(self) -> float:
        return max(0.0, float(settings.EMBED_WAIT_SECONDS) - self._owed())

    def spend(self, seconds: float) -> None:
        with self._lock:
            most = float(settings.EMBED_WAIT_SECONDS)
            self._owed_seconds = min(most, self._owed() + seconds)
            self._since = time.monotonic()

    def _owed(self) -> float:
        passed_seconds = time.monotonic() - self._since
        return max(0.0, self._owed_seconds - passed_seconds * _WAITING_SHARE)


allowance = _Allowance()


def embed_pending(filter_: Filter, current: Serving, deadline: float | None) -> int:
    """Have the tasks of the filter's scope done, the newest first, until `deadline` (monotonic) or
    for EMBED_WAIT_SECONDS, and less where searches have waited much of late and these are many.

    Returns how many memories are still without their vector. Tasks that failed are not waited
    for, and those that another process has claimed only as long as the bound allows.
    """
    session_id = filter_.session_id if filter_.scope is Scope.SESSION else ""
    wanted = Wanted([current.model_id], filter_.searched_owner(), session_id)
    pending, waiting = _count(wanted)
    bound = time.monotonic() + _may_wait_seconds(waiting)
    deadline = bound if deadline is None else min(bound, deadline)
    while waiting and time.monotonic() < deadline:
        began = time.monotonic()
        if not _embed_some(wanted, current.embedder, deadline):
            Event().wait(_PAUSE_SECONDS)
        pending, waiting = _count(wanted)
        allowance.spend(time.monotonic() - began)
    return pending


def _may_wait_seconds(waiting: int) -> float:
    short = _SHORT_SHARE * float(settings.EMBED_WAIT_SECONDS) if waiting <= _BATCH else 0.0
    return max(short, allowance.left_seconds())


def _embed_some(wanted: Wanted, embedder: Embedder, deadline: float) -> bool:
    """Returns whether there was something to do."""
    batch = max(_BATCH, embedder.batch_size)
    tasks = claim_tasks(wanted, batch, newest_first=True) if embedder.embeds_text else []
    if not tasks:
        return False
    making = in_model_thread(make_vectors, tasks, embedder)
    try:
        keep_outcomes(making.result(timeout=max(0.0, deadline - time.monotonic())))
    except FutureTimeout:
        _leave(making, tasks)
    return True


def _leave(making: Future[list[Outcome]], tasks: Sequence[Task]) -> None:
    """Time is up: what has not begun goes back to the queue, the rest is kept when it is done."""
    if making.cancel():
        release_tasks(tasks)
    else:
        # In a thread of theirs: this one's connection is its own.
        making.add_done_callback(lambda made: in_model_thread(_keep_late, made.result()))


def _keep_late(outcomes: Sequence[Outcome]) -> None:
    try:
        keep_outcomes(outcomes)
    except DatabaseError as error:
        logger.warning("Vectors that were late could not be kept: %s", error)
    finally:
        connection.close()


def _count(wanted: Wanted) -> tuple[int, int]:
    """All tasks, and those that have not failed yet."""
    [(pending, waiting)] = rows(
        f"""
        SELECT count(*), count(*) FILTER (WHERE t.error = '' AND t.attempts < {MAX_ATTEMPTS})
        FROM embedding_tasks t WHERE {wanted.conditions()}""",
        wanted.parameters(),
    )
    return pending, waiting
