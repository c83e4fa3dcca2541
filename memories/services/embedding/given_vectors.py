"""Vectors that clients send with what they store. Called by handlers and store."""

from collections.abc import Sequence
from typing import NamedTuple

from memories.embedders.base import check_vector
from memories.embedders.errors import EmbedderLoadError
from memories.errors import SearchFailed, ValidationFailed
from memories.services.embedding.models import serving
from memories.services.embedding.tasks import vector_text


class GivenVector(NamedTuple):
    """Of length 1, as PostgreSQL reads it, and the model that it is to be compared with."""

    model_id: int
    text: str


def read_given(values: Sequence[float], field: str) -> GivenVector:
    """Raises ValidationFailed, naming `field`, where it is no vector of the active model's, and
    SearchFailed where that model cannot load here."""
    try:
        current = serving()
    except EmbedderLoadError as error:
        raise SearchFailed(str(error)) from None
    if current is None:
        raise ValidationFailed(field, "No embedding model is active here: leave the vector out.")
    try:
        vector = check_vector(values, current.embedder.dimension)
    except ValueError as error:
        raise ValidationFailed(field, f"{error} ({field}).") from None
    return GivenVector(current.model_id, vector_text(vector))
