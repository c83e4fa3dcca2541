"""What a search answers where a part of it is late, broken or away."""

import time
from threading import Event

import numpy as np
import pytest

from memories.errors import SearchFailed, ValidationFailed
from memories.services.embedding import models as embedding_models
from memories.services.search.query import SearchType
from tests.embedders import TrialEmbedder, embed_all, serve_by, stored_model
from tests.factories import other_connection, store
from tests.memories.services.asking import ask, fail, found, ids

pytestmark = pytest.mark.django_db


class TestPending:
    def test_what_was_just_said_is_found_by_its_meaning(self, trial):
        an_id = store("alpha")
        assert found("alpha", SearchType.SEMANTIC) == [an_id]

    def test_what_could_not_be_waited_for_is_counted(self, trial, settings):
        settings.EMBED_WAIT_SECONDS = 0
        store("alpha")
        store("beta")
        metadata = ask("alpha").search_metadata
        assert (metadata.pending, metadata.search_type) == (2, SearchType.HYBRID)
        settings.EMBED_WAIT_SECONDS = 5
        assert not ask("alpha").search_metadata.pending

    def test_other_owners_memories_are_nobodys_concern(self, trial, settings):
        store("alpha", session_id="other")
        store("alpha")
        settings.EMBED_WAIT_SECONDS = 0
        assert ask("alpha").search_metadata.pending == 1


class TestBrokenEmbedder:
    @pytest.fixture
    def broken(self, trial):
        trial.before_query = fail
        store("alpha")
        return trial

    def test_words_answer_in_its_place_and_it_is_said(self, broken):
        result = ask("alpha")
        metadata = result.search_metadata
        assert len(result.results) == 1
        assert (metadata.search_type, metadata.partial) == (SearchType.KEYWORD, True)
        assert metadata.embedding_model is None

    def test_a_search_by_meaning_alone_is_an_error(self, broken):
        error = ask("alpha", SearchType.SEMANTIC)
        assert isinstance(error, SearchFailed) and "away" in error.message

    def test_what_a_library_raises_is_no_fault_of_ours(self, broken):
        def crash(_):
            raise RuntimeError("bad node")

        broken.before_query = crash
        assert ask("alpha").search_metadata.partial
        assert isinstance(ask("alpha", SearchType.SEMANTIC), SearchFailed)

    def test_it_harms_no_search_for_words(self, broken):
        assert len(ask("alpha", SearchType.KEYWORD).results) == 1

    @pytest.mark.parametrize("lie", [lambda v: v[:, :-1], lambda v: v[:0]])
    def test_a_wrong_shape_is_an_error(self, trial, lie):
        store("alpha")
        make = trial.embed_queries
        trial.embed_queries = lambda texts: lie(make(texts))
        assert isinstance(ask("alpha", SearchType.SEMANTIC), SearchFailed)

    def test_a_model_that_this_process_has_not_leaves_the_words(self, trial, embedders):
        store("alpha")
        serve_by(TrialEmbedder(name="new"), "openai")
        embedders["openai"] = TrialEmbedder(name="old")
        embedding_models.forget_serving()
        assert isinstance(ask("alpha", SearchType.SEMANTIC), SearchFailed)
        assert ask("alpha").search_metadata.partial is True
        assert len(ask("alpha", SearchType.KEYWORD).results) == 1

    def test_without_any_model_words_answer(self, settings):
        store("alpha")
        assert ask("alpha").search_metadata.partial is True
        assert isinstance(ask("alpha", SearchType.SEMANTIC), SearchFailed)


class TestDeadline:
    @pytest.fixture
    def hanging(self, trial):
        go_on = Event()
        yield go_on
        go_on.set()

    def timed(self, **options):
        start = time.monotonic()
        result = ask("alpha", deadline=start + 0.15, **options)
        assert time.monotonic() - start < 5
        return result

    def test_a_query_that_hangs_in_the_embedder_is_answered_by_words(self, trial, hanging):
        an_id = store("alpha")
        trial.before_query = lambda _: hanging.wait(10)
        result = self.timed()
        assert ids(result) == [an_id]
        assert result.search_metadata.partial is True
        assert result.search_metadata.search_type is SearchType.KEYWORD

    def test_memories_that_hang_in_the_embedder_are_not_waited_for(self, trial, hanging):
        store("alpha")
        trial.before = lambda _: hanging.wait(10)
        assert len(self.timed().results) == 1

    def test_the_query_itself_has_its_time_beside_memories_that_hang(self, trial, hanging):
        an_id = store("alpha")
        trial.before = lambda _: hanging.wait(10)
        result = ask("alpha", deadline=time.monotonic() + 0.6)
        metadata = result.search_metadata
        assert ids(result) == [an_id]
        assert (metadata.search_type, metadata.pending) == (SearchType.HYBRID, 1)
        assert not metadata.partial

    def test_with_time_enough_nothing_is_partial(self, trial):
        store("alpha")
        result = ask("alpha", deadline=time.monotonic() + 10)
        assert not result.search_metadata.partial
        assert result.search_metadata.search_type is SearchType.HYBRID

    def test_one_that_is_over_already_is_answered(self, trial):
        store("alpha")
        assert ask("alpha", deadline=time.monotonic() - 1).search_metadata.partial is True

    def test_what_the_database_cannot_find_in_time_it_need_not(self, trial, monkeypatch, settings):
        settings.SEARCH_MEGABYTES = 0
        an_id = store("alpha")
        found("alpha")
        slow = "SELECT m.id, true AS near FROM memory_entries m CROSS JOIN pg_sleep(30)"
        monkeypatch.setattr("memories.services.search.candidates._ALL", slow)
        result = self.timed()
        assert ids(result) == [an_id]
        assert result.search_metadata.partial is True


@pytest.mark.parametrize("way", list(SearchType))
def test_a_database_that_does_not_answer_in_time_is_an_error_in_time(transactional_db, trial, way):
    store("alpha")
    embed_all()
    found("alpha")
    with other_connection() as other, other.transaction():
        other.execute("LOCK TABLE memory_entries")
        start = time.monotonic()
        error = ask("alpha", way, deadline=start + 0.2)
        assert time.monotonic() - start < 10  # else it would wait for the lock for ever
    assert isinstance(error, SearchFailed) and "deadline" in error.message
    assert len(found("alpha", way)) == 1


class TestHangingQueries:
    """Without a deadline."""

    @pytest.fixture(autouse=True)
    def hanging(self, trial, settings):
        settings.QUERY_EMBED_SECONDS = 0.1
        go_on = Event()
        trial.before_query = lambda _: go_on.wait(30)
        store("alpha")
        yield
        go_on.set()

    def test_words_answer_soon(self):
        start = time.monotonic()
        assert ask("alpha").search_metadata.partial is True
        assert time.monotonic() - start < 5

    def test_after_some_in_a_row_nobody_waits(self):
        for _ in range(3):
            ask("alpha")
        start = time.monotonic()
        assert [ask("alpha").search_metadata.partial for _ in range(5)] == [True] * 5
        assert time.monotonic() - start < 0.5

    def test_a_deadline_that_was_too_short_counts_for_nothing(self, trial):
        for _ in range(5):
            ask("alpha", deadline=time.monotonic() + 0.02)
        trial.before_query = lambda _: None
        assert not ask("alpha").search_metadata.partial

    def test_a_search_by_meaning_alone_fails_soon(self):
        start = time.monotonic()
        assert isinstance(ask("alpha", SearchType.SEMANTIC), SearchFailed)
        assert time.monotonic() - start < 5


class TestGivenQueries:
    def test_a_vector_stands_in_for_the_words(self, trial):
        alpha = store("alpha")
        store("beta")
        vector = tuple(map(float, trial.embed_queries(["alpha"])[0] * 7))
        trial.before_query = fail
        result = ask("gamma", SearchType.SEMANTIC, vector=vector)
        assert ids(result)[0] == alpha
        assert result.results[0].similarity_score == 1
        assert result.search_metadata.query_embedding_dimension == 64

    @pytest.mark.parametrize("way", [SearchType.SEMANTIC, SearchType.HYBRID])
    @pytest.mark.parametrize("vector", [(1.0,) * 63, (0.0,) * 64, (float("nan"),) * 64, ()])
    def test_a_bad_one_is_refused_by_its_field(self, trial, way, vector):
        error = ask("alpha", way, vector=vector)
        assert isinstance(error, ValidationFailed)
        assert error.details["field"] == "payload.query_embedding"


def test_the_vectors_of_another_model_are_never_compared(trial):
    an_id = store("alpha")
    assert found("alpha", SearchType.SEMANTIC) == [an_id]
    other = stored_model(TrialEmbedder(16, "new"), "e5")
    embedding_models.activate_model(other)
    result = ask("alpha", SearchType.SEMANTIC)
    assert result.results == []
    assert result.search_metadata.embedding_model == "new/1"
    assert np.isclose(ask("alpha").results[0].similarity_score, 1)
