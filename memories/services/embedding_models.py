"""Embedding models: which one serves searches, and the embedder that goes with each.

Several can live at once: a new one is filled while the old one serves, then switched in one
transaction. Called by search, the embedding job and the command `embedding_models`.
"""

import time
from dataclasses import dataclass
from threading import Lock

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction
from django.utils import timezone

from memories.changes import rows
from memories.embedders.base import Embedder
from memories.embedders.errors import EmbedderLoadError
from memories.embedders.loading import load_embedder
from memories.models import EmbeddingModel

State = EmbeddingModel.State

# How long a process may go on with the model that served before a switch; its vectors stay.
_LOOK_AGAIN_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Serving:
    """The model that answers searches, with its embedder."""

    model_id: int
    embedder: Embedder


class _Embedders:
    """Loaded once a process and kind, when first needed."""

    def __init__(self) -> None:
        self._loaded: dict[str, Embedder] = {}
        self._lock = Lock()

    def get(self, kind: str) -> Embedder:
        with self._lock:
            if kind not in self._loaded:
                self._loaded[kind] = load_embedder(
                    kind, settings.DATA_DIR, settings.EMBEDDER_OPTIONS
                )
            return self._loaded[kind]

    def close(self) -> None:
        with self._lock:
            for embedder in self._loaded.values():
                embedder.close()
            self._loaded.clear()


embedders = _Embedders()
_serving: tuple[float, Serving | None] | None = None


def serving() -> Serving | None:
    """What answers searches by meaning now, or None where nothing does."""
    global _serving
    if _serving is None or _serving[0] < time.monotonic():
        _serving = time.monotonic() + _LOOK_AGAIN_SECONDS, _look()
    return _serving[1]


def forget_serving() -> None:
    """Look again at the next search."""
    global _serving
    _serving = None


def name_of(embedder: Embedder) -> str:
    """What vectors are stored under: those of another name never compare."""
    return f"{embedder.name}/{embedder.format_version}"


def set_up_model() -> list[str]:
    """Load what serves; make EMBEDDER the active model where there is none yet.

    Returns warnings. Raises ImproperlyConfigured, with one sentence, where a model cannot load.
    """
    try:
        return _set_up()
    except EmbedderLoadError as error:
        raise ImproperlyConfigured(str(error)) from error


def add_model(kind: str) -> EmbeddingModel:
    """A model that is to be filled; the one that is there, where its vectors exist already."""
    embedder = embedders.get(kind)
    model, made = EmbeddingModel.objects.get_or_create(
        name=name_of(embedder),
        defaults={
            "kind": kind,
            "dimension": embedder.dimension,
            "state": State.FILLING,
            "created_at": timezone.now(),
        },
    )
    if not made and model.state == State.RETIRED:
        EmbeddingModel.objects.filter(id=model.id, state=State.RETIRED).update(state=State.FILLING)
        model.refresh_from_db()
    return model


def activate_model(model: EmbeddingModel) -> None:
    """Switch searches to it, in one transaction; the model that served stays ready to go back."""
    with transaction.atomic():
        EmbeddingModel.objects.filter(state=State.ACTIVE).exclude(id=model.id).update(
            state=State.READY
        )
        EmbeddingModel.objects.filter(id=model.id).update(
            state=State.ACTIVE, activated_at=timezone.now()
        )
    forget_serving()


def fill_model(model: EmbeddingModel, after_id: str, limit: int) -> str:
    """Queue up to `limit` memories that this model has no vector of, in the order of their ids.

    Returns the last id looked at, or "" when all have been: start with "" and go on from there.
    """
    found = rows(
        """
        WITH batch AS (
            SELECT m.owner_id, m.id, m.text <> '' AND m.deleted_at IS NULL AS wanted
            FROM memory_entries m WHERE m.id > %(after)s ORDER BY m.id LIMIT %(limit)s),
        queued AS (
            INSERT INTO embedding_tasks (owner_id, memory_id, model_id, due_at, attempts, error)
            SELECT b.owner_id, b.id, %(model)s, now(), 0, '' FROM batch b
            WHERE b.wanted AND NOT EXISTS (SELECT FROM embeddings e WHERE e.owner_id = b.owner_id
                    AND e.model_id = %(model)s AND e.memory_id = b.id)
                AND NOT EXISTS (SELECT FROM embedding_tasks t WHERE t.owner_id = b.owner_id
                    AND t.model_id = %(model)s AND t.memory_id = b.id))
        SELECT max(id) FROM batch""",
        {"after": after_id, "limit": limit, "model": model.id},
    )
    return found[0][0] or ""


def index_name(model_id: int) -> str:
    return f"embeddings_by_model_{model_id}"


def index_vectors(model: EmbeddingModel) -> None:
    """Build the model's HNSW index, while everything goes on. Outside of any transaction."""
    name = index_name(model.id)
    invalid = rows(
        "SELECT 1 FROM pg_index WHERE indexrelid = to_regclass(%s) AND NOT indisvalid", [name]
    )
    if invalid:  # a build that was cut short leaves one behind
        rows(f"DROP INDEX CONCURRENTLY {name}")
    rows(
        f"""
        CREATE INDEX CONCURRENTLY IF NOT EXISTS {name} ON embeddings
        USING hnsw ((embedding::halfvec({model.dimension})) halfvec_ip_ops)
        WHERE model_id = {model.id}"""
    )


def drop_index(model_id: int) -> None:
    rows(f"DROP INDEX CONCURRENTLY IF EXISTS {index_name(model_id)}")


def has_index(model_id: int) -> bool:
    return bool(
        rows(
            "SELECT 1 FROM pg_index WHERE indexrelid = to_regclass(%s) AND indisvalid",
            [index_name(model_id)],
        )
    )


def _look() -> Serving | None:
    found = rows("SELECT id, kind FROM embedding_models WHERE state = 'active'")
    return Serving(found[0][0], embedders.get(found[0][1])) if found else None


def _set_up() -> list[str]:
    active = EmbeddingModel.objects.filter(state=State.ACTIVE).first()
    if active is None:
        if settings.EMBEDDER == "none":
            return []
        activate_model(add_model(settings.EMBEDDER))
        return []
    embedder = embedders.get(active.kind)
    if name_of(embedder) != active.name:
        raise ImproperlyConfigured(
            f"The stored vectors are of {active.name}, but the embedder {active.kind} is now "
            f"{name_of(embedder)}: set it back as it was, or run "
            f"`python manage.py embedding_models add {active.kind}` and activate that."
        )
    if settings.EMBEDDER not in (active.kind, "none"):
        return [
            f"EMBEDDER is {settings.EMBEDDER}, but searches are served by {active.kind}: run "
            f"`python manage.py embedding_models add {settings.EMBEDDER}` to change the model."
        ]
    return []
