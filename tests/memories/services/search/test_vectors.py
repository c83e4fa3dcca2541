"""The sample that a query is compared with: read once, and anew when it has changed."""

from datetime import UTC, datetime

import numpy as np
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from memories.embedders.base import unit_rows
from memories.services.embedding.models import serving
from memories.services.forget import Deletion, forget_memories
from memories.services.revise import Revision, revise_memories
from memories.services.search.vectors import Sample, sample_of
from memories.services.sessions import owners_of_sessions
from memories.services.store import store_memories
from tests.embedders import embed_all
from tests.factories import SESSION, new_memory, store

NOW = datetime(2026, 1, 31, tzinfo=UTC)


def sample(owned=True):
    owner_id = owners_of_sessions([SESSION])[SESSION] if owned else None
    return sample_of(owner_id, serving().model_id, 64)


def reads_vectors():
    with CaptureQueriesContext(connection) as run:
        sample()
    return any("vector_send(embedding)" in query["sql"] for query in run.captured_queries)


@pytest.mark.django_db
class TestSample:
    @pytest.fixture
    def stored(self, trial):
        an_id = store("alpha")
        store("beta")
        store("gamma", session_id="of another owner")
        embed_all()
        return an_id

    def test_it_is_of_the_owner_or_of_everyone(self, stored):
        assert len(sample().vectors) == 2
        assert len(sample(owned=False).vectors) == 3
        assert sample().mean == pytest.approx(sample().vectors.mean(axis=0))

    def test_that_of_everyone_is_of_early_and_late_owners(self, trial):
        for session, word in (("first", "alpha"), ("second", "beta"), ("third", "gamma")):
            texts = [f"{word} {number}" for number in range(300)]
            store_memories([new_memory(text, session_id=session) for text in texts])
            embed_all()
        everyones = sample(owned=False).vectors
        assert len(everyones) == 256
        near = everyones @ trial.embed_queries(["alpha", "beta", "gamma"]).T
        assert (np.bincount(near.argmax(axis=1), minlength=3) > 50).all()

    def test_it_is_read_once_while_nothing_changes(self, stored):
        assert reads_vectors()
        assert not reads_vectors()

    @pytest.mark.parametrize(
        "change",
        [
            lambda an_id: store("delta"),
            lambda an_id: forget_memories([Deletion(an_id, NOW)]),
            lambda an_id: revise_memories([Revision(an_id, NOW, content_json=b'{"text":"delta"}')]),
        ],
        ids=["one more", "one less", "another text"],
    )
    def test_it_is_read_anew_after_every_change(self, stored, change):
        sample()
        change(stored)
        embed_all()
        assert reads_vectors()

    def test_that_of_many_is_kept_for_a_while(self, trial):
        store_memories([new_memory(f"word {number}") for number in range(300)])
        embed_all()
        assert len(sample().vectors) == 256
        store("one more")
        embed_all()
        assert not reads_vectors()

    def test_where_there_is_none_nothing_is_taken_off(self, trial):
        store("")
        assert sample().vectors.shape == (0, 64)
        assert sample().spread(np.ones(64, np.float32)) == (0.0, 1.0)


def test_centred_cosines_are_cosines_after_the_mean_is_taken_off():
    vectors = unit_rows(np.random.default_rng(1).normal(size=(20, 8)) + 1)
    [query] = unit_rows(np.random.default_rng(2).normal(size=(1, 8)) + 1)
    sample = Sample(vectors, vectors.mean(axis=0))
    centred, asked = vectors - sample.mean, query - sample.mean
    expected = centred @ asked / np.linalg.norm(centred, axis=1) / np.linalg.norm(asked)
    found = sample.centred_cosines(query, vectors @ query, vectors @ sample.mean)
    assert found == pytest.approx(expected, abs=1e-5)
    assert sample.spread(query) == pytest.approx((expected.mean(), expected.std()), abs=1e-5)
