"""The one interface of all embedders, and the checks that every vector passes.

Embedders are made by `loading.load_embedder` and used by the services and the embedding job.
"""

from collections.abc import Sequence
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from memories.embedders.errors import InvalidAnswer

Vectors: TypeAlias = NDArray[np.float32]


class Embedder(Protocol):
    """Texts to vectors. All methods may be called from several threads at once."""

    @property
    def name(self) -> str:
        """The model, as stored with each vector; vectors of different names never compare."""

    @property
    def dimension(self) -> int: ...

    @property
    def format_version(self) -> int:
        """Raised when the same model would make other vectors of the same text."""

    @property
    def batch_size(self) -> int:
        """Documents a call in the background. Few where a call takes this machine's processor, so
        that a search which waits for the model does not wait long; many where it takes a while
        however few they are."""

    @property
    def embeds_text(self) -> bool:
        """False where all vectors come from the clients."""

    def embed_documents(self, texts: Sequence[str]) -> Vectors:
        """Shape (len(texts), dimension), each row of length 1. A text beyond the model's window
        is embedded in parts, and its vector is their mean. Raises EmbeddingError."""

    def embed_queries(self, texts: Sequence[str]) -> Vectors:
        """The same for what is searched with; a query beyond the window is cut, not embedded in
        parts, so that no query can cost many times another."""

    def close(self) -> None:
        """Ends waits and frees connections; the embedder is not used after it."""


def check_vector(values: Sequence[float], dimension: int) -> Vectors:
    """A vector that a client gave, as float32 of length 1, shape (dimension,).

    Raises ValueError for a wrong count, what is no number, NaN, infinity, and all zeros.
    """
    if len(values) != dimension:
        raise ValueError(
            f"the vector has {len(values)} numbers, but the active model's have {dimension}"
        )
    for position, value in enumerate(values):
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError(f"the vector's item {position} is not a number")
    try:
        vector = np.array(values, dtype=np.float64)
    except OverflowError:
        raise ValueError("the vector holds a number beyond the range of a float") from None
    unit: Vectors = unit_rows(vector[np.newaxis, :])[0]
    return unit


def check_shape(vectors: Vectors, count: int, dimension: int) -> Vectors:
    """The vectors as they are. Raises InvalidAnswer where they are not one for each text."""
    if vectors.shape != (count, dimension):
        raise InvalidAnswer(
            f"The embedder made vectors of shape {vectors.shape} for {count} texts; "
            f"it should be {(count, dimension)}."
        )
    return vectors


def unit_rows(rows: NDArray[np.floating]) -> Vectors:
    """Each row scaled to length 1. Raises ValueError for NaN, infinity, or a row of zeros."""
    if not np.isfinite(rows).all():
        raise ValueError("the vector holds NaN or infinity")
    largest = np.abs(rows).max(axis=1, keepdims=True)
    if not largest.all():
        raise ValueError("the vector holds only zeros, so it has no direction")
    # By the largest first: the square of a large float overflows, that of a small one vanishes.
    scaled = rows / largest
    units: Vectors = (scaled / np.linalg.norm(scaled, axis=1, keepdims=True)).astype(np.float32)
    return units
