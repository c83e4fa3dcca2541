"""Embedding models: which one serves searches, and the embedder that goes with each.

Several can live at once: a new one is filled while the old one serves, then switched in one
transaction.
"""

import logging
import time
from collections import defaultdict
from dataclasses import dataclass, replace
from threading import Lock
from typing import NamedTuple

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction
from django.utils import timezone

from memories.changes import rows
from memories.embedders.base import Embedder
from memories.embedders.errors import EmbedderLoadError
from memories.embedders.loading import load_embedder
from memories.embedders.options import EmbedderOptions
from memories.models import EmbeddingModel, MemoryEntry

logger = logging.getLogger(__name__)

State = EmbeddingModel.State

# How long a process may go on with the model that served before a switch; its vectors stay.
LOOK_AGAIN_SECONDS = 1.0
# A model that cannot load is not tried again at every search: it may take seconds to fail.
_LOAD_AGAIN_SECONDS = 30.0
_SWITCHED_OFF = (
    "EMBEDDER is none: searches find by words alone, although {model} is the active model. Its "
    "vectors stay, and what is stored meanwhile waits for one until EMBEDDER names a model again."
)
_OLD_ONES_WAIT = (
    "Memories that were stored without an embedding model get their vectors in the background; "
    "until then they are found by their words alone: see `python manage.py embedding_models list`."
)


@dataclass(frozen=True, slots=True)
class Serving:
    """The model that answers searches, with its embedder."""

    model_id: int
    embedder: Embedder


class _Embedders:
    """Loaded once a process and kind, when first needed."""

    def __init__(self) -> None:
        self._loaded: dict[str, Embedder] = {}
        self._failed: dict[str, tuple[float, EmbedderLoadError]] = {}
        self._locks: defaultdict[str, Lock] = defaultdict(Lock)

    def get(self, kind: str) -> Embedder:
        """Raises EmbedderLoadError. Who waits for one kind's endpoint holds up no other."""
        with self._locks[kind]:
            if kind not in self._loaded:
                self._loaded[kind] = self._load(kind)
            return self._loaded[kind]

    def _load(self, kind: str) -> Embedder:
        until, error = self._failed.get(kind, (0.0, None))
        if error and time.monotonic() < until:
            raise error
        try:
            return load_embedder(kind, settings.DATA_DIR, _options_for(kind))
        except EmbedderLoadError as error:
            self._failed[kind] = time.monotonic() + _LOAD_AGAIN_SECONDS, error
            raise

    def close(self) -> None:
        for embedder in list(self._loaded.values()):
            embedder.close()
        self._loaded.clear()
        self._failed.clear()


def _options_for(kind: str) -> EmbedderOptions:
    """The settings', with what is known of an endpoint: one that is away need not be asked for its
    dimension, and does not keep the orchestrator from starting."""
    options: EmbedderOptions = settings.EMBEDDER_OPTIONS
    endpoint = options.openai
    if kind != "openai" or endpoint is None or endpoint.dimension:
        return options
    known = EmbeddingModel.objects.filter(kind=kind).values_list("name", "dimension")
    dimensions = {name.rpartition("/")[0]: dimension for name, dimension in known}
    endpoint = replace(endpoint, dimension=dimensions.get(endpoint.name, 0))
    return replace(options, openai=endpoint)


embedders = _Embedders()
_serving: tuple[float, Serving | None] | None = None
_made_here: tuple[float, dict[int, Embedder]] | None = None


def active_model() -> EmbeddingModel | None:
    """The one that searches are served by, whether or not this process can load it."""
    return EmbeddingModel.objects.filter(state=State.ACTIVE).first()


def serving() -> Serving | None:
    """What answers searches by meaning now, or None where nothing does, or EMBEDDER is none.

    Raises EmbedderLoadError where this process has not the embedder of the active model.
    """
    global _serving
    kept = _serving
    if kept is None or kept[0] < time.monotonic():
        kept = _serving = time.monotonic() + LOOK_AGAIN_SECONDS, _look()
    return kept[1]


def models_made_here() -> dict[int, Embedder]:
    """The models whose vectors this process can make; with EMBEDDER none it makes none. One that
    does not load here, or is set up otherwise, is another process's to fill: its tasks are left
    alone."""
    global _made_here
    kept = _made_here
    if kept is None or kept[0] < time.monotonic():
        kept = _made_here = time.monotonic() + LOOK_AGAIN_SECONDS, _look_for_made_here()
    return kept[1]


def forget_serving() -> None:
    """Look again at the next search."""
    global _serving, _made_here
    _serving = _made_here = None


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
    """A model that is to be filled; the one that is there, where its vectors exist already.

    Raises EmbedderLoadError.
    """
    embedder = embedders.get(kind)
    model, _ = EmbeddingModel.objects.get_or_create(
        name=name_of(embedder),
        defaults={
            "kind": kind,
            "dimension": embedder.dimension,
            "state": State.FILLING,
            "created_at": timezone.now(),
        },
    )
    if EmbeddingModel.objects.filter(id=model.id, state=State.RETIRED).update(state=State.FILLING):
        model.refresh_from_db()
    forget_serving()
    return model


def activate_model(model: EmbeddingModel) -> bool:
    """Switch searches to it, in one transaction; the model that served stays ready to go back.

    False, and nothing changes, where it has been retired meanwhile.
    """
    with transaction.atomic():
        rows("LOCK TABLE embedding_models IN SHARE ROW EXCLUSIVE MODE")  # one switch at a time
        usable = EmbeddingModel.objects.exclude(state=State.RETIRED).filter(id=model.id)
        if not usable.exists():
            return False
        EmbeddingModel.objects.filter(state=State.ACTIVE).exclude(id=model.id).update(
            state=State.READY
        )
        usable.update(state=State.ACTIVE, activated_at=timezone.now())
    forget_serving()
    return True


class Queued(NamedTuple):
    """`last_id`: of the memories looked at, "" when all have been; `tasks`: how many are new."""

    last_id: str
    tasks: int


def fill_model(model: EmbeddingModel, after_id: str, limit: int) -> Queued:
    """Look at up to `limit` memories in the order of their ids, and queue those that have neither
    a vector of this model nor a task: start with "" and go on from the last id."""
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
                    AND t.model_id = %(model)s AND t.memory_id = b.id)
            RETURNING 1)
        SELECT max(id), (SELECT count(*) FROM queued) FROM batch""",
        {"after": after_id, "limit": limit, "model": model.id},
    )
    return Queued(found[0][0] or "", found[0][1])


def _look() -> Serving | None:
    if settings.EMBEDDER == "none":
        return None
    active = active_model()
    return Serving(active.id, embedder_of(active)) if active else None


def _look_for_made_here() -> dict[int, Embedder]:
    found: dict[int, Embedder] = {}
    if settings.EMBEDDER == "none":
        return found
    for model in EmbeddingModel.objects.exclude(state=State.RETIRED):
        try:
            embedder = embedder_of(model)
        except EmbedderLoadError as error:
            logger.debug("%s", error)
        else:
            if embedder.embeds_text:
                found[model.id] = embedder
    return found


def embedder_of(model: EmbeddingModel) -> Embedder:
    """The embedder that made the model's vectors. Raises EmbedderLoadError where the one of that
    kind would make others here: compared with them, they would find at random."""
    embedder = embedders.get(model.kind)
    if (name_of(embedder), embedder.dimension) != (model.name, model.dimension):
        raise EmbedderLoadError(
            f"The stored vectors are of {model.name} with {model.dimension} dimensions, but the "
            f"embedder {model.kind} is now {name_of(embedder)} with {embedder.dimension}: set it "
            f"back as it was, or run `python manage.py embedding_models add {model.kind}` and "
            "activate that."
        )
    return embedder


def _set_up() -> list[str]:
    active = active_model()
    if settings.EMBEDDER == "none":
        return [_SWITCHED_OFF.format(model=active)] if active else []
    if active is None:
        activate_model(add_model(settings.EMBEDDER))
        fills = embedders.get(settings.EMBEDDER).embeds_text
        wait = fills and MemoryEntry.objects.exclude(text="").exists()
        return [_OLD_ONES_WAIT] if wait else []
    embedder_of(active)
    if active.kind != settings.EMBEDDER:
        return [
            f"EMBEDDER is {settings.EMBEDDER}, but searches are served by {active.kind}: run "
            f"`python manage.py embedding_models add {settings.EMBEDDER}` to change the model."
        ]
    return []
