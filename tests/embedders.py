"""Embedders for tests in which meaning does not matter, and models that are served by them."""

from memories.embedders.hashing import HashingEmbedder
from memories.services.embedding.models import activate_model, add_model, embedders
from memories.services.embedding.tasks import embed_tasks


class TrialEmbedder(HashingEmbedder):
    """Texts are near each other as far as they share words. `calls`: the texts of each call for
    documents; `before` is called with them and may raise or wait, `after` with the vectors."""

    def __init__(self, dimension=64, name="trial"):
        super().__init__(dimension)
        self.name = name
        self.calls = []
        self.before = lambda texts: None
        self.after = lambda vectors: vectors
        self.before_query = lambda texts: None

    def embed_documents(self, texts):
        self.calls.append(list(texts))
        self.before(texts)
        return self.after(super().embed_documents(texts))

    def embed_queries(self, texts):
        self.before_query(texts)
        return super().embed_documents(texts)


def stored_model(embedder, kind="hashing"):
    """A model in the database for this embedder, to be filled."""
    embedders._loaded[kind] = embedder
    return add_model(kind)


def serve_by(embedder, kind="hashing"):
    """Make it the active model; returns the embedder."""
    assert activate_model(stored_model(embedder, kind))
    return embedder


def embed_all():
    """Do every task that is due."""
    while embed_tasks(64):
        pass
