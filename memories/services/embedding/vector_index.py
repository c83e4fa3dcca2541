"""A model's HNSW index: built once it has more vectors than are compared one by one.

An index makes each new vector several times dearer, so that small installations go without.
"""

from threading import Event, Lock
from typing import Any

from django.db import connection

from memories.changes import rows
from memories.models import EmbeddingModel
from memories.services.embedding.models import active_model

# Up to so many vectors are compared one by one, exactly; beyond, the HNSW index answers.
EXACT_UP_TO = 30_000
LOCK = 0x766563  # advisory; of whoever builds an index
_PAUSE_SECONDS = 0.5


def wants_index(model: EmbeddingModel) -> bool:
    """Whether it has many vectors and no index."""
    [(count,)] = rows(
        """
        SELECT count(*) FROM (
            SELECT 1 FROM embeddings WHERE model_id = %s LIMIT %s) counted""",
        [model.id, EXACT_UP_TO + 1],
    )
    return bool(count > EXACT_UP_TO) and not has_index(model.id)


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


class IndexBuild:
    """Builds while everything goes on; outside of any transaction. Another thread may cancel."""

    def __init__(self) -> None:
        self._cancelled = Event()
        self._lock = Lock()
        self._building: Any = None

    def build_where_wanted(self) -> None:
        """The active model's, unless another process is at it."""
        model = active_model()
        if model and wants_index(model):
            self._build_alone(model)

    def build(self, model: EmbeddingModel) -> None:
        """This model's, after waiting for whoever builds one."""
        # Asked again and again: a build waits for every statement that began before it, and so
        # for one that waits for the build.
        while not self._build_alone(model):
            self._cancelled.wait(_PAUSE_SECONDS)

    def cancel(self) -> None:
        """A build that is cut short leaves an invalid index, which the next one removes."""
        self._cancelled.set()
        with self._lock:
            if self._building is not None:
                self._building.cancel_safe(timeout=1)

    def _build_alone(self, model: EmbeddingModel) -> bool:
        [(mine,)] = rows("SELECT pg_try_advisory_lock(%s)", [LOCK])
        if not mine:
            return False
        try:
            with self._lock:
                self._building = connection.connection
            if not self._cancelled.is_set():
                index_vectors(model)
        finally:
            with self._lock:
                self._building = None
            if connection.is_usable():
                rows("SELECT pg_advisory_unlock(%s)", [LOCK])
        return True
