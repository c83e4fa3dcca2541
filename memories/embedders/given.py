"""For installations whose clients send the vectors themselves: it has a dimension and a name to
store them under, and refuses to embed text."""

from collections.abc import Sequence

from memories.embedders.base import Vectors
from memories.embedders.errors import NeverEmbeds

DEFAULT_DIMENSION = 384


class GivenEmbedder:
    """Never embeds by itself."""

    format_version = 1
    batch_size = 4
    embeds_text = False

    def __init__(self, dimension: int = DEFAULT_DIMENSION) -> None:
        self.name = f"given-{dimension}"  # vectors of another length are another model's
        self.dimension = dimension

    def embed_documents(self, texts: Sequence[str]) -> Vectors:
        raise NeverEmbeds(
            "This installation embeds no text: send `embedding` with a memory "
            "and `query_embedding` with a search."
        )

    def embed_queries(self, texts: Sequence[str]) -> Vectors:
        return self.embed_documents(texts)

    def close(self) -> None:
        pass
