"""A model's index: built once it pays, by one at a time, and gone with the model."""

import pytest
from django.db import OperationalError

from memories.changes import rows
from memories.models import Embedding, EmbeddingModel, EmbeddingTask
from memories.services.embedding.filling import forget_tasks, forget_vectors, retire_model
from memories.services.embedding.vector_index import (
    IndexBuild,
    drop_index,
    has_index,
    index_name,
    index_vectors,
    wants_index,
)
from memories.services.store import store_memories
from tests.embedders import TrialEmbedder, embed_all, serve_by
from tests.factories import new_memory, other_connection, run_together, store, wait_until

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def model(transactional_db, trial):
    store_memories([new_memory(f"word {number}") for number in range(60)])
    embed_all()
    return EmbeddingModel.objects.get()


def test_it_is_built_once_there_are_many_vectors(model, monkeypatch):
    IndexBuild().build_where_wanted()
    assert not has_index(model.id)
    monkeypatch.setattr("memories.services.embedding.vector_index.EXACT_UP_TO", 59)
    assert wants_index(model)
    IndexBuild().build_where_wanted()
    assert has_index(model.id)
    assert not wants_index(model)
    IndexBuild().build_where_wanted()
    drop_index(model.id)
    assert not has_index(model.id)


def test_what_a_cut_off_build_left_is_built_anew(model):
    index_vectors(model)
    rows(
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = to_regclass(%s)",
        [index_name(model.id)],
    )
    assert not has_index(model.id)
    index_vectors(model)
    assert has_index(model.id)


def test_one_at_a_time_builds_and_a_waiting_build_can_be_cancelled(model, monkeypatch):
    monkeypatch.setattr("memories.services.embedding.vector_index.EXACT_UP_TO", 59)
    build = IndexBuild()
    with other_connection() as other:
        # An open transaction that has written holds up every concurrent build.
        other.autocommit = False
        other.execute("UPDATE embeddings SET version = version")

        def cancel():
            wait_until(is_building)
            IndexBuild().build_where_wanted()  # does not wait
            build.cancel()

        with pytest.raises(OperationalError, match="canceling statement"):
            run_together([build.build_where_wanted, cancel])
    assert not has_index(model.id)
    IndexBuild().build_where_wanted()
    assert has_index(model.id)


def test_retiring_frees_vectors_tasks_and_index_but_never_the_active_ones(model):
    index_vectors(model)
    assert not retire_model(model)
    serve_by(TrialEmbedder(name="new"), "e5")
    store("still to do")
    assert retire_model(model)
    assert not forget_tasks(model)
    last_id = forget_vectors(model, 0)
    while last_id:
        last_id = forget_vectors(model, last_id)
    assert not has_index(model.id)
    assert not Embedding.objects.filter(model_id=model.id).exists()
    assert not EmbeddingTask.objects.filter(model_id=model.id).exists()
    assert EmbeddingTask.objects.count() == 1  # of the new one


def is_building():
    return bool(
        rows("SELECT 1 FROM pg_stat_progress_create_index WHERE datname = current_database()")
    )
