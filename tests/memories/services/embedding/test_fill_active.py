"""What was stored before the active model gets its vectors, a little at a time."""

import pytest

from memories.embedders.errors import EmbedderUnavailable
from memories.models import Embedding, EmbeddingModel, EmbeddingTask
from memories.services.embedding import fill_active
from memories.services.embedding.fill_active import ActiveFill
from memories.services.store import store_memories
from tests.embedders import TrialEmbedder, embed_all, serve_by, stored_model
from tests.factories import new_memory, store

pytestmark = pytest.mark.django_db


@pytest.fixture
def old(embedders, monkeypatch):
    monkeypatch.setattr(fill_active, "QUEUE_BATCH", 3)
    return {stored.memory_id for stored in store_memories([new_memory(str(n)) for n in range(7)])}


def embedded(model):
    return set(Embedding.objects.filter(model=model).values_list("memory_id", flat=True))


def active():
    return EmbeddingModel.objects.get(state="active")


def test_all_of_it_is_queued_by_and_by(old):
    serve_by(TrialEmbedder())
    fill = ActiveFill()
    while fill.queue_some():
        assert EmbeddingTask.objects.count() <= 3
        embed_all()
    assert embedded(active()) == old


def test_few_stand_in_the_queue_at_once(old, monkeypatch):
    monkeypatch.setattr(fill_active, "QUEUE_AHEAD", 3)
    embedder = serve_by(TrialEmbedder())

    def fail(_):
        raise EmbedderUnavailable("away")

    embedder.before = fail
    fill = ActiveFill()
    assert [fill.queue_some() for _ in range(3)] == [True, False, False]
    embed_all()
    assert not fill.queue_some()
    assert EmbeddingTask.objects.count() == 3


def test_a_model_that_was_activated_unfilled_is_filled_too(old):
    serve_by(TrialEmbedder())
    fill = ActiveFill()
    while fill.queue_some():
        embed_all()
    new = stored_model(TrialEmbedder(name="new"), "e5")
    assert not fill.queue_some()
    serve_by(TrialEmbedder(name="new"), "e5")
    while fill.queue_some():
        embed_all()
    assert embedded(new) == old


def test_nothing_is_queued_without_a_model(db):
    store("words")
    assert not ActiveFill().queue_some()
    assert not EmbeddingTask.objects.exists()
