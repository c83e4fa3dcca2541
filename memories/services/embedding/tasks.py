"""Make the vectors of memories: claim tasks, embed their texts, keep what still fits.

Several processes may do this at once: a claim lasts a while and no two hold one task. A vector is
kept only where the memory still says what the vector was made from. Called by the embedding job,
by a search for the tasks of its own scope, and by the command that fills a model.
"""

import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

import msgspec

from memories.changes import rows
from memories.embedders.base import Embedder, Vectors, check_shape
from memories.embedders.errors import EmbedderUnavailable, EmbeddingError, NeverEmbeds
from memories.services.embedding.embedder_use import Kind, noting_use
from memories.services.embedding.models import models_made_here

logger = logging.getLogger(__name__)

# A claim is over when its process must have died; the work is then taken over.
CLAIM_SECONDS = 120
MAX_ATTEMPTS = 5
# Waits after a failure: 4, 16, 64, 256 seconds.
_BACK_OFF_BASE = 4
# And while the embedder is away.
_AWAY_SECONDS = 15
# And while somebody holds its memory.
_HELD_SECONDS = 1
_PLAIN_TEXT = "The cat sat on the mat."
_MAX_TEXT_CHARACTERS = 200_000


class Task(NamedTuple):
    id: int
    owner_id: UUID
    memory_id: str
    model_id: int
    content_version: int
    text: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which tasks: of these models, and of one owner or session where they are given."""

    model_ids: Sequence[int]
    owner_id: UUID | None = None
    session_id: str = ""

    def conditions(self) -> str:
        """On a task `t`; the parameters are those of `parameters`."""
        conditions = "t.model_id = ANY(%(models)s)"
        if self.owner_id:
            conditions += " AND t.owner_id = %(owner)s"
        if self.session_id:
            conditions += """ AND EXISTS (SELECT FROM memory_entries m
                WHERE m.owner_id = t.owner_id AND m.id = t.memory_id
                    AND m.session_id = %(session)s)"""
        return conditions

    def parameters(self) -> dict[str, object]:
        return {
            "models": list(self.model_ids),
            "owner": self.owner_id,
            "session": self.session_id,
        }


class Outcome(NamedTuple):
    """What became of a task: a vector, an error, or neither where there is nothing to embed.
    `blameless`: the error is the embedder's, not the text's."""

    task: Task
    vector: Vectors | None = None
    error: str = ""
    blameless: bool = False


def embed_tasks(limit: int | None = None) -> int:
    """Do up to `limit` tasks of each model that is made here; without a limit as many as its
    embedder takes in a call. Returns as `embed_tasks_of`."""
    made_here = models_made_here()
    return sum(embed_tasks_of(an_id, each, limit) for an_id, each in made_here.items())


def embed_tasks_of(model_id: int, embedder: Embedder, limit: int | None = None) -> int:
    """Those of one model. Returns how many it came further with, those that an embedder that is
    away leaves waiting not among them. A task that fails waits and is tried again, MAX_ATTEMPTS
    times in all.

    Not to be called in a transaction: none is open, and no row is locked, while texts are embedded.
    """
    tasks = claim_tasks(Wanted([model_id]), limit or embedder.batch_size)
    outcomes = make_vectors(tasks, embedder)
    keep_outcomes(outcomes)
    return sum(not outcome.blameless for outcome in outcomes)


def text_to_embed(speaker: str, text: str) -> str:
    """What a vector is made from: it says who spoke, without which a fifth is found less."""
    if not speaker or text.startswith(f"{speaker}:"):
        return text
    return f"{speaker}: {text}"


def claim_tasks(wanted: Wanted, limit: int, *, newest_first: bool = False) -> list[Task]:
    """Up to `limit` tasks that are due; nobody else gets them for CLAIM_SECONDS."""
    claimed = rows(
        f"""
        WITH due AS (
            SELECT t.id FROM embedding_tasks t
            WHERE t.due_at <= now() AND t.attempts < {MAX_ATTEMPTS} AND {wanted.conditions()}
            ORDER BY t.id {"DESC" if newest_first else ""}
            LIMIT %(limit)s FOR UPDATE OF t SKIP LOCKED),
        claimed AS (
            UPDATE embedding_tasks t SET attempts = t.attempts + 1,
                due_at = now() + {CLAIM_SECONDS} * interval '1 second'
            FROM due WHERE t.id = due.id
            RETURNING t.id, t.owner_id, t.memory_id, t.model_id)
        SELECT c.id, c.owner_id, c.memory_id, c.model_id, coalesce(m.content_version, 0),
            coalesce(m.speaker, ''), left(coalesce(m.text, ''), {_MAX_TEXT_CHARACTERS})
        FROM claimed c LEFT JOIN memory_entries m ON m.owner_id = c.owner_id AND m.id = c.memory_id
            AND m.deleted_at IS NULL
        ORDER BY c.id""",
        wanted.parameters() | {"limit": limit},
    )
    return [Task._make((*row[:5], text_to_embed(*row[5:]))) for row in claimed]


def release_tasks(tasks: Sequence[Task]) -> None:
    """Give claimed tasks back, as if they had not been claimed."""
    rows(
        """
        UPDATE embedding_tasks SET due_at = now(), attempts = greatest(attempts - 1, 0)
        WHERE id = ANY(%s)""",
        [[task.id for task in tasks]],
    )


def make_vectors(tasks: Sequence[Task], embedder: Embedder) -> list[Outcome]:
    """The model's work, without the database: one call for all, and where that fails one for each,
    so that a text harms no other."""
    texts = [task for task in tasks if task.text]
    return [Outcome(task) for task in tasks if not task.text] + _embed(texts, embedder)


def _embed(tasks: Sequence[Task], embedder: Embedder) -> list[Outcome]:
    if not tasks:
        return []
    try:
        with noting_use(Kind.DOCUMENT, len(tasks)):
            vectors = _call(embedder, [task.text for task in tasks])
        return [Outcome(task, vector) for task, vector in zip(tasks, vectors, strict=True)]
    except (EmbedderUnavailable, NeverEmbeds) as error:
        return [Outcome(task, error=str(error), blameless=True) for task in tasks]
    except Exception as error:  # the boundary of a batch: a model's library raises what it likes
        if not _embeds_at_all(embedder):
            logger.warning("The embedder %s fails on any text: %s", embedder.name, error)
            return [Outcome(task, error=_told(error), blameless=True) for task in tasks]
        if len(tasks) > 1:
            return [outcome for task in tasks for outcome in _embed([task], embedder)]
        if not isinstance(error, EmbeddingError):
            logger.exception("The embedder failed on %s", tasks[0].memory_id)
        return [Outcome(tasks[0], error=_told(error))]


def _call(embedder: Embedder, texts: Sequence[str]) -> Vectors:
    return check_shape(embedder.embed_documents(texts), len(texts), embedder.dimension)


def _embeds_at_all(embedder: Embedder) -> bool:
    """Whether it embeds a text that is no text's fault: a wrong key, model or address is not."""
    try:
        _call(embedder, [_PLAIN_TEXT])
    except Exception:  # the same boundary
        return False
    return True


def _told(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def keep_outcomes(outcomes: Sequence[Outcome]) -> None:
    """Keep the vectors whose memory is as it was, take what is done off the queue, and set back
    what failed."""
    if done := [outcome for outcome in outcomes if not outcome.error]:
        _keep(done)
    if failed := [outcome for outcome in outcomes if outcome.error]:
        _set_back(failed)


def _keep(done: Sequence[Outcome]) -> None:
    """In one statement, since four round trips for a handful of vectors keep the requests waiting.

    A memory that somebody holds is not waited for: a batch of changes takes its rows in the order
    of arrival, and who waits for one while holding others meets it in a deadlock. Its task is done
    again in a moment, if it is not gone by then.
    """
    made = [(each.task, vector_text(each.vector)) for each in done if each.vector is not None]
    finished = rows(
        """
        WITH done AS (
            SELECT * FROM unnest(%(tasks)s::bigint[], %(owners)s::uuid[], %(memories)s::text[])
                AS n (task_id, owner_id, memory_id)),
        free AS (
            SELECT m.* FROM memory_entries m
            WHERE (m.owner_id, m.id) IN (SELECT owner_id, memory_id FROM done)
            ORDER BY m.id FOR SHARE OF m SKIP LOCKED),
        made AS (
            SELECT DISTINCT ON (n.owner_id, n.memory_id, n.model_id) n.*
            FROM unnest(%(made_owners)s::uuid[], %(made_memories)s::text[], %(models)s::bigint[],
                    %(versions)s::int[], %(vectors)s::text[])
                AS n (owner_id, memory_id, model_id, version, embedding)
                JOIN embedding_models e ON e.id = n.model_id AND e.state <> 'retired'),
        kept AS (
            INSERT INTO embeddings (owner_id, memory_id, model_id, version, embedding)
            SELECT made.owner_id, made.memory_id, made.model_id, made.version,
                made.embedding::vector
            FROM made JOIN free m ON m.owner_id = made.owner_id AND m.id = made.memory_id
            WHERE m.content_version = made.version AND m.deleted_at IS NULL
            ON CONFLICT (owner_id, model_id, memory_id)
            DO UPDATE SET id = excluded.id, version = excluded.version,
                embedding = excluded.embedding)
        DELETE FROM embedding_tasks t USING done
        WHERE t.id = done.task_id AND (
            EXISTS (SELECT FROM free m WHERE m.owner_id = done.owner_id AND m.id = done.memory_id)
            OR NOT EXISTS (SELECT FROM memory_entries m
                WHERE m.owner_id = done.owner_id AND m.id = done.memory_id))
        RETURNING t.id""",  # a vector's new id tells the owner's index
        {
            "tasks": _ids(done),
            "owners": [outcome.task.owner_id for outcome in done],
            "memories": [outcome.task.memory_id for outcome in done],
            "made_owners": [task.owner_id for task, _ in made],
            "made_memories": [task.memory_id for task, _ in made],
            "models": [task.model_id for task, _ in made],
            "versions": [task.content_version for task, _ in made],
            "vectors": [vector for _, vector in made],
        },
    )
    if held := set(_ids(done)) - {task_id for (task_id,) in finished}:
        _postpone(held)


def _postpone(task_ids: Collection[int]) -> None:
    """As if they had not been claimed, but for a moment; one that somebody holds is left to him."""
    rows(
        f"""
        UPDATE embedding_tasks SET attempts = greatest(attempts - 1, 0),
            due_at = now() + {_HELD_SECONDS} * interval '1 second'
        WHERE id IN (SELECT id FROM embedding_tasks WHERE id = ANY(%s) FOR UPDATE SKIP LOCKED)""",
        [list(task_ids)],
    )


def vector_text(vector: Vectors) -> str:
    """A vector as PostgreSQL reads it."""
    return msgspec.json.encode(vector.tolist()).decode()


def _set_back(failed: Sequence[Outcome]) -> None:
    """What the embedder is to blame for was no attempt of the text's. After the last attempt there
    is nothing to wait for."""
    logger.warning("%d memories could not be embedded: %s", len(failed), failed[0].error)
    rows(
        f"""
        UPDATE embedding_tasks t SET error = f.error, embedder_failed = f.blameless,
            attempts = CASE WHEN f.blameless THEN greatest(t.attempts - 1, 0) ELSE t.attempts END,
            due_at = now() + interval '1 second' * CASE
                WHEN f.blameless THEN {_AWAY_SECONDS}
                WHEN t.attempts >= {MAX_ATTEMPTS} THEN 0
                ELSE power({_BACK_OFF_BASE}, t.attempts) END
        FROM unnest(%s::bigint[], %s::text[], %s::boolean[]) AS f (id, error, blameless)
        WHERE t.id = f.id""",
        [
            _ids(failed),
            [outcome.error.replace("\0", "")[:1000] for outcome in failed],
            [outcome.blameless for outcome in failed],
        ],
    )


def _ids(outcomes: Sequence[Outcome]) -> list[int]:
    return [outcome.task.id for outcome in outcomes]
