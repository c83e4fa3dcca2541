"""How far an embedding model is filled, what could not be embedded, and giving a model up."""

from dataclasses import dataclass
from typing import NamedTuple

from memories.changes import rows
from memories.models import EmbeddingModel
from memories.services.embedding.tasks import MAX_ATTEMPTS
from memories.services.embedding.vector_index import drop_index

State = EmbeddingModel.State

_SET_ASIDE = f"t.attempts >= {MAX_ATTEMPTS} AND t.due_at <= now()"
_FORGET_BATCH = 2_000


@dataclass(frozen=True, slots=True)
class Progress:
    """Of a model. `memories`: live ones with a text; `missing`: those without a vector, of which
    `unqueued` have no task either; `waiting`: tasks to be done; `set_aside`: tasks that failed too
    often."""

    memories: int
    missing: int
    unqueued: int
    waiting: int
    set_aside: int

    def is_filled(self) -> bool:
        """What was said a moment ago may still wait; a search has it embedded first."""
        return not self.unqueued and not self.set_aside


class SetAside(NamedTuple):
    model: str
    memory_id: str
    error: str


def progress_of(model: EmbeddingModel) -> Progress:
    waiting, set_aside = count_tasks(model)
    [(memories, missing, unqueued)] = rows(
        """
        SELECT count(*), count(*) FILTER (WHERE m.bare), count(*) FILTER (WHERE m.bare AND
            NOT EXISTS (SELECT FROM embedding_tasks t WHERE t.owner_id = m.owner_id
                AND t.memory_id = m.id AND t.model_id = %(model)s))
        FROM (
            SELECT m.owner_id, m.id, e.id IS NULL AS bare
            FROM memory_entries m LEFT JOIN embeddings e ON e.owner_id = m.owner_id
                AND e.model_id = %(model)s AND e.memory_id = m.id
            WHERE m.deleted_at IS NULL AND m.text <> '') m""",
        {"model": model.id},
    )
    return Progress(memories, missing, unqueued, waiting, set_aside)


def count_tasks(model: EmbeddingModel | None = None) -> tuple[int, int]:
    """Tasks that wait or are at work, and those that were set aside; of all models without one."""
    of_model = "WHERE t.model_id = %(model)s" if model else ""
    [(tasks, set_aside)] = rows(
        f"SELECT count(*), count(*) FILTER (WHERE {_SET_ASIDE}) FROM embedding_tasks t {of_model}",
        {"model": model.id} if model else (),
    )
    return tasks - set_aside, set_aside


def list_set_aside(limit: int) -> list[SetAside]:
    found = rows(
        f"""
        SELECT e.name, t.memory_id, t.error
        FROM embedding_tasks t JOIN embedding_models e ON e.id = t.model_id
        WHERE {_SET_ASIDE} ORDER BY t.attempts, t.id LIMIT %s""",
        [limit],
    )
    return [SetAside(*row) for row in found]


def longest_wait_seconds() -> float:
    """How long the task waits that was queued first of those still to be done, tried or not."""
    [(seconds,)] = rows(
        f"""
        SELECT coalesce((SELECT extract(epoch FROM now() - t.queued_at) FROM embedding_tasks t
            WHERE t.attempts < {MAX_ATTEMPTS} ORDER BY t.id LIMIT 1), 0)::float"""
    )
    return max(0.0, float(seconds))


def retry_set_aside() -> int:
    """Put them back into the queue; returns how many."""
    retried = rows(
        f"""
        UPDATE embedding_tasks t SET attempts = 0, error = '', due_at = now(), queued_at = now()
        WHERE {_SET_ASIDE} RETURNING 1"""
    )
    return len(retried)


def mark_ready(model: EmbeddingModel) -> bool:
    """False where it is not being filled any more."""
    filling = EmbeddingModel.objects.filter(id=model.id, state=State.FILLING)
    return bool(filling.update(state=State.READY))


def retire_model(model: EmbeddingModel) -> bool:
    """No vector is made of it any more, and its index goes; False where it is the active one.
    Outside of any transaction. What it leaves behind is for `forget_vectors`."""
    idle = EmbeddingModel.objects.filter(id=model.id).exclude(state=State.ACTIVE)
    if not idle.update(state=State.RETIRED):
        return False
    drop_index(model.id)
    return True


def forget_tasks(model: EmbeddingModel) -> bool:
    """Remove a batch of a retired model's tasks; returns whether there may be more."""
    gone = rows(
        """
        DELETE FROM embedding_tasks WHERE id IN (
            SELECT t.id FROM embedding_tasks t JOIN embedding_models e ON e.id = t.model_id
            WHERE t.model_id = %s AND e.state = 'retired' LIMIT %s)
        RETURNING 1""",
        [model.id, _FORGET_BATCH],
    )
    return len(gone) == _FORGET_BATCH


def forget_vectors(model: EmbeddingModel, after_id: int) -> int:
    """Remove a batch of a retired model's vectors.

    Returns the id of the last one, or 0 when none is left: start with 0 and go on from there.
    """
    [(last_id,)] = rows(
        """
        WITH gone AS (
            DELETE FROM embeddings WHERE id IN (
                SELECT v.id FROM embeddings v JOIN embedding_models e ON e.id = v.model_id
                WHERE v.model_id = %(model)s AND e.state = 'retired' AND v.id > %(after)s
                ORDER BY v.id LIMIT %(limit)s)
            RETURNING id)
        SELECT max(id) FROM gone""",
        {"model": model.id, "after": after_id, "limit": _FORGET_BATCH},
    )
    return last_id or 0
