"""The search field: hybrid search through the service, and why each memory was found."""

import re

import pytest

from memories.embedders.errors import EmbedderLoadError
from memories.services.embedding import models as embedding_models
from tests.embedders import TrialEmbedder, embed_all, stored_model
from tests.factories import store

from .conftest import list_url
from .rows import delete, open_session
from .test_lists import ids_in

pytestmark = pytest.mark.django_db


def search(client, words, **filters):
    return client.get(list_url("memoryentry", q=words, **filters))


@pytest.fixture
def kettle(trial):
    """What a search for a kettle finds, best first, among other things."""
    best = store("The kettle is in the attic.", source_agent="cook", tags=["kitchen"])
    also = store("Buy a kettle, bread, salt, milk, eggs, tea, rice and soap tomorrow.")
    store("Nobody knows what became of Minou.")
    embed_all()
    return [best, also]


def test_the_best_comes_first_and_says_why(admin_client, kettle):
    response = search(admin_client, "where is the kettle")
    assert ids_in(response)[:2] == kettle
    assert "The <mark>kettle</mark> is in the attic." in response.text
    assert re.search(r">1\. · \d+% similar · kettle<", response.text)
    first = response.context["cl"].result_list[0].hit
    assert first.passage.words == ("kettle",) and 0.5 < first.score <= 1


def test_filters_narrow_what_is_searched(admin_client, kettle):
    best, also = kettle
    hall = store("A kettle stands in the hall.", session_id=open_session("hall", "ann"))
    embed_all()
    assert ids_in(search(admin_client, "kettle", user="ann")) == [hall]
    assert ids_in(search(admin_client, "kettle", session="hall")) == [hall]
    assert ids_in(search(admin_client, "kettle", session="ha")) == [hall]  # as the list has it
    store("A kettle stands in the hangar.", session_id=open_session("hangar", "ann"))
    several = search(admin_client, "kettle", session="ha")
    assert ids_in(several) == [] and "Several sessions begin so" in several.text
    assert ids_in(search(admin_client, "kettle", session="hall")) == [hall]
    assert ids_in(search(admin_client, "kettle", session="nowhere")) == []
    assert ids_in(search(admin_client, "kettle", tag="kitchen")) == [best]
    assert ids_in(search(admin_client, "kettle", agent="cook")) == [best]
    assert ids_in(search(admin_client, "kettle", to="2026-01-01")) == []
    assert also in ids_in(search(admin_client, "kettle", within="hour", memory_type="conversation"))


def test_an_id_finds_its_memory_in_any_state(admin_client, kettle):
    memory_id = kettle[0]
    assert ids_in(search(admin_client, f" {memory_id} ")) == [memory_id]
    delete(memory_id)
    assert ids_in(search(admin_client, memory_id, state="deleted")) == [memory_id]


def test_what_is_deleted_is_not_searched_and_the_list_says_so(admin_client, kettle):
    delete(kettle[0])
    assert kettle[0] not in ids_in(search(admin_client, "kettle"))
    response = search(admin_client, "kettle", state="deleted")
    assert ids_in(response) == [] and "finds what is alive" in response.text


def test_without_a_model_words_are_found_and_the_list_says_so(admin_client):
    memory_id = store("The kettle is in the attic.")
    response = search(admin_client, "kettle")
    assert ids_in(response) == [memory_id]
    assert "Found by words alone: no embedding model is active." in response.text


def test_a_model_that_cannot_load_is_told_in_its_own_words(admin_client, embedders, monkeypatch):
    store("The kettle is in the attic.")
    embedding_models.activate_model(stored_model(TrialEmbedder()))
    embedders.clear()

    def fail(*_):
        raise EmbedderLoadError("The model is not there: install it.")

    monkeypatch.setattr(embedding_models, "load_embedder", fail)
    response = search(admin_client, "kettle")
    assert len(ids_in(response)) == 1
    assert "The model is not there: install it." in response.text


def test_no_query_is_an_error(admin_client, kettle):
    for words in ("'", '"', "-kettle", "%", "a:*", "\U0001fad6", "the", "x" * 10_000):
        assert search(admin_client, words).status_code == 200
