"""Read your own writes, by meaning too: what a search could find but has no vector yet is embedded
first, within a bound. Called by search."""

import logging
import time
from collections.abc import Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from threading import Event

from django.db import DatabaseError, connection

from memories.changes import rows
from memories.embedders.base import Embedder
from memories.services.embedding import (
    MAX_ATTEMPTS,
    Outcome,
    Task,
    Wanted,
    claim_tasks,
    keep_outcomes,
    make_vectors,
    release_tasks,
)
from memories.services.embedding_models import Serving
from memories.services.filters import Filter, Scope
from memories.services.model_threads import in_model_thread

logger = logging.getLogger(__name__)

# Tasks a turn: the bound may be over before all of them are done.
_BATCH = 16
_PAUSE_SECONDS = 0.005


def embed_pending(filter_: Filter, current: Serving, deadline: float) -> int:
    """Have the tasks of the filter's scope done, the newest first, until `deadline` (monotonic).

    Returns how many memories are still without their vector. Tasks that failed are not waited
    for, and those that another process has claimed only as long as the bound allows.
    """
    session_id = filter_.session_id if filter_.scope is Scope.SESSION else ""
    wanted = Wanted([current.model_id], filter_.searched_owner(), session_id)
    pending, waiting = _count(wanted)
    while waiting and time.monotonic() < deadline:
        if not _embed_some(wanted, current.embedder, deadline):
            Event().wait(_PAUSE_SECONDS)
        pending, waiting = _count(wanted)
    return pending


def _embed_some(wanted: Wanted, embedder: Embedder, deadline: float) -> bool:
    """Returns whether there was something to do."""
    tasks = claim_tasks(wanted, _BATCH, newest_first=True) if embedder.embeds_text else []
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
