"""Make the vectors of memories: claim tasks, embed their texts, keep what still fits.

Several processes may do this at once: a claim lasts a while and no two hold one task. A vector is
kept only where the memory still says what the vector was made from. Called by the embedding job,
by a search for the tasks of its own scope, and by the command that fills a model.
"""

import logging
from collections.abc import Sequence
from typing import Any, NamedTuple
from uuid import UUID

import numpy as np
from django.db import transaction

from memories.changes import rows
from memories.embedders.base import Embedder, Vectors
from memories.embedders.errors import EmbeddingError, TextsRefused
from memories.services.embedding_models import embedders

logger = logging.getLogger(__name__)

# A claim is over when its process must have died; the work is then taken over.
CLAIM_SECONDS = 120
MAX_ATTEMPTS = 5
# Waits after a failure: 4, 16, 64, 256 seconds.
_BACK_OFF_BASE = 4
_MAX_TEXT_CHARACTERS = 200_000


class Task(NamedTuple):
    id: int
    owner_id: UUID
    memory_id: str
    model_id: int
    kind: str
    content_version: int
    text: str


def embed_tasks(limit: int, owner_id: UUID | None = None, model_id: int | None = None) -> int:
    """Do up to `limit` tasks, of one owner and model where they are given; returns how many were
    claimed. A task that fails waits and is tried again, MAX_ATTEMPTS times in all.

    Not to be called in a transaction: none is open, and no row is locked, while texts are embedded.
    """
    tasks = _claim(limit, owner_id, model_id)
    if not tasks:
        return 0
    for kind in dict.fromkeys(task.kind for task in tasks):
        _embed([task for task in tasks if task.kind == kind], embedders.get(kind))
    return len(tasks)


def text_to_embed(speaker: str, text: str) -> str:
    """What a vector is made from: it says who spoke, without which a fifth is found less."""
    if not speaker or text.startswith(f"{speaker}:"):
        return text
    return f"{speaker}: {text}"


def _claim(limit: int, owner_id: UUID | None, model_id: int | None) -> list[Task]:
    conditions = "t.due_at <= now() AND t.attempts < %(max_attempts)s"
    if owner_id:
        conditions += " AND t.owner_id = %(owner)s"
    if model_id:
        conditions += " AND t.model_id = %(model)s"
    claimed = rows(
        f"""
        WITH due AS (
            SELECT t.id FROM embedding_tasks t WHERE {conditions}
            ORDER BY t.id LIMIT %(limit)s FOR UPDATE SKIP LOCKED),
        claimed AS (
            UPDATE embedding_tasks t SET attempts = t.attempts + 1,
                due_at = now() + %(claim)s * interval '1 second'
            FROM due WHERE t.id = due.id
            RETURNING t.id, t.owner_id, t.memory_id, t.model_id)
        SELECT c.id, c.owner_id, c.memory_id, c.model_id, e.kind,
            coalesce(m.content_version, 0), coalesce(m.speaker, ''),
            left(coalesce(m.text, ''), {_MAX_TEXT_CHARACTERS})
        FROM claimed c JOIN embedding_models e ON e.id = c.model_id
            LEFT JOIN memory_entries m ON m.owner_id = c.owner_id AND m.id = c.memory_id
                AND m.deleted_at IS NULL
        ORDER BY c.id""",
        {
            "limit": limit,
            "claim": CLAIM_SECONDS,
            "max_attempts": MAX_ATTEMPTS,
            "owner": owner_id,
            "model": model_id,
        },
    )
    return [_task(*row) for row in claimed]


def _task(*columns: Any) -> Task:
    *known, speaker, text = columns
    return Task._make([*known, text_to_embed(speaker, text)])


def _embed(tasks: Sequence[Task], embedder: Embedder) -> None:
    """One model call for all; where that fails, each by itself, so that one text harms no other."""
    gone = [task for task in tasks if not task.text]
    tasks = [task for task in tasks if task.text]
    try:
        vectors = embedder.embed_documents([task.text for task in tasks])
    except EmbeddingError as error:
        if len(tasks) == 1 or not isinstance(error, TextsRefused):
            _set_back(tasks, str(error))
        else:
            for task in tasks:
                _embed([task], embedder)
        tasks, vectors = [], np.empty((0, embedder.dimension), np.float32)
    _keep(tasks, vectors, done=[*gone, *tasks])


def _keep(tasks: Sequence[Task], vectors: Vectors, done: Sequence[Task]) -> None:
    """Keep the vectors whose memory is as it was, and take the tasks off the queue."""
    with transaction.atomic():
        if tasks:
            rows(
                """
                WITH made AS (
                    SELECT * FROM unnest(%s::uuid[], %s::text[], %s::bigint[], %s::int[],
                        %s::text[]) AS n (owner_id, memory_id, model_id, version, embedding)),
                current AS (
                    SELECT made.* FROM made JOIN memory_entries m
                        ON m.owner_id = made.owner_id AND m.id = made.memory_id
                    WHERE m.content_version = made.version AND m.deleted_at IS NULL
                    FOR SHARE OF m)
                INSERT INTO embeddings (owner_id, memory_id, model_id, version, embedding)
                SELECT owner_id, memory_id, model_id, version, embedding::vector FROM current
                ON CONFLICT (owner_id, model_id, memory_id)
                DO UPDATE SET version = excluded.version, embedding = excluded.embedding""",
                [
                    [task.owner_id for task in tasks],
                    [task.memory_id for task in tasks],
                    [task.model_id for task in tasks],
                    [task.content_version for task in tasks],
                    [vector_text(vector) for vector in vectors],
                ],
            )
        rows("DELETE FROM embedding_tasks WHERE id = ANY(%s)", [[task.id for task in done]])


def vector_text(vector: Vectors) -> str:
    """A vector as PostgreSQL reads it."""
    return f"[{','.join(map(str, vector.tolist()))}]"


def _set_back(tasks: Sequence[Task], error: str) -> None:
    logger.warning("%d memories could not be embedded: %s", len(tasks), error)
    rows(
        """
        UPDATE embedding_tasks SET error = %s,
            due_at = now() + power(%s, attempts) * interval '1 second'
        WHERE id = ANY(%s)""",
        [error[:1000], _BACK_OFF_BASE, [task.id for task in tasks]],
    )
