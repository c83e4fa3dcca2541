"""Read your own writes, by meaning too: what a search could find but has no vector yet is embedded
first, within a bound. Called by search."""

import logging
import time
from threading import Event
from uuid import UUID

from memories.changes import rows
from memories.services.embedding import MAX_ATTEMPTS, embed_tasks

logger = logging.getLogger(__name__)

# Tasks a turn, so that the bound is kept to within the time of one small batch.
_BATCH = 16
_PAUSE_SECONDS = 0.02


def embed_pending(owner_id: UUID | None, model_id: int, deadline: float) -> int:
    """Have the owner's tasks done, or everyone's, until `deadline` (monotonic).

    Returns how many memories are still without their vector. Tasks that failed are not waited
    for, and those that another process has claimed only as long as the bound allows.
    """
    pending, waiting = _count(owner_id, model_id)
    while waiting and time.monotonic() < deadline:
        if not embed_tasks(_BATCH, owner_id, model_id):
            Event().wait(_PAUSE_SECONDS)
        pending, waiting = _count(owner_id, model_id)
    return pending


def _count(owner_id: UUID | None, model_id: int) -> tuple[int, int]:
    """All tasks, and those that have not failed yet."""
    owned = "owner_id = %(owner)s AND" if owner_id else ""
    [(pending, waiting)] = rows(
        f"""
        SELECT count(*), count(*) FILTER (WHERE error = '' AND attempts < {MAX_ATTEMPTS})
        FROM embedding_tasks WHERE {owned} model_id = %(model)s""",
        {"owner": owner_id, "model": model_id},
    )
    return pending, waiting
