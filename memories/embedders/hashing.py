"""A deterministic embedder for tests and trials: words hashed into a vector. No model, no meaning:
texts are near each other as far as they share words."""

import hashlib
import re
from collections.abc import Sequence

import numpy as np

from memories.embedders.base import Vectors, unit_rows

DEFAULT_DIMENSION = 64
_WORD = re.compile(r"\w+")


class HashingEmbedder:
    """The same text makes the same vector on every machine and Python."""

    format_version = 1
    batch_size = 4
    embeds_text = True

    def __init__(self, dimension: int = DEFAULT_DIMENSION) -> None:
        self.name = f"hashing-{dimension}"  # vectors of another length are another model's
        self.dimension = dimension

    def embed_documents(self, texts: Sequence[str]) -> Vectors:
        rows = np.zeros((len(texts), self.dimension), dtype=np.float32)
        for row, text in zip(rows, texts, strict=True):
            for word in _WORD.findall(text.lower()) or [""]:
                row[_bucket(word, self.dimension)] += 1
        return unit_rows(rows)

    def embed_queries(self, texts: Sequence[str]) -> Vectors:
        return self.embed_documents(texts)

    def close(self) -> None:
        pass


def _bucket(word: str, dimension: int) -> int:
    digest = hashlib.blake2b(word.encode("utf-8", "replace"), digest_size=8).digest()
    return int.from_bytes(digest, "big") % dimension
