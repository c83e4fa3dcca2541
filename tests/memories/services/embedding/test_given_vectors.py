"""Vectors that clients send with what they store."""

import pytest

from memories.embedders.given import GivenEmbedder
from memories.models import Embedding, EmbeddingTask, MemoryEntry
from memories.services.embedding.models import serving
from tests.embedders import TrialEmbedder, embed_all, serve_by, stored_model
from tests.factories import create, request

pytestmark = pytest.mark.django_db

GIVEN = [3.0, *[0] * 62, 4]
UNIT = pytest.approx([0.6, *[0] * 62, 0.8])


def vector_of(memory_id):
    return Embedding.objects.get(memory_id=memory_id, model_id=serving().model_id).embedding


def test_it_is_kept_with_its_memory_and_nothing_is_to_be_made(wire, trial):
    memory_id = wire.create("words", embedding=GIVEN)
    assert vector_of(memory_id) == UNIT
    embed_all()
    assert vector_of(memory_id) == UNIT
    assert trial.calls == []


def test_another_model_makes_its_own(wire, trial):
    other = stored_model(TrialEmbedder(16, "new"), "e5")
    wire.create("words", embedding=GIVEN)
    assert EmbeddingTask.objects.get().model_id == other.id


def test_it_finds_its_memory(wire, trial):
    memory_id = wire.create("words", embedding=GIVEN)
    wire.create("others")
    found = wire.data(
        "search",
        {"query": "?", "search_type": "semantic", "query_embedding": GIVEN},
    )
    best = found["results"][0]
    assert (best["memory_id"], best["similarity_score"]) == (memory_id, 1.0)


def test_some_of_a_batch_bring_one(wire, trial):
    memories = [create("one"), create("two", embedding=GIVEN), create("three")]
    ids = wire.data("batch_create", {"memories": memories})["memory_ids"]
    assert vector_of(ids[1]) == UNIT
    assert set(EmbeddingTask.objects.values_list("memory_id", flat=True)) == {ids[0], ids[2]}


@pytest.mark.parametrize(
    ("embedding", "said"),
    [
        ([1.0] * 63, "has 63 numbers, but the active model's have 64"),
        ([], "has 0 numbers"),
        ([0.0] * 64, "only zeros"),
    ],
)
def test_a_bad_one_is_refused_and_harms_no_neighbour(wire, trial, embedding, said):
    good, bad = request("create", create("good")), request("create", create(embedding=embedding))
    fine, refused = wire.answer([good, bad])
    assert fine["status"] == "success"
    assert refused["error"]["code"] == "validation_error"
    assert refused["error"]["details"]["field"] == "payload.embedding"
    assert said in refused["error"]["message"]
    assert list(MemoryEntry.objects.values_list("text", flat=True)) == ["good"]


def test_sent_again_after_the_model_was_changed_it_gets_its_first_answer(wire, trial):
    one = request("create", create("one", embedding=GIVEN))
    two = request("batch_create", {"memories": [create("two", embedding=GIVEN), create("three")]})
    new = request("create", create("new", embedding=GIVEN))
    first = wire.answer([one, two])
    serve_by(TrialEmbedder(16, "new"))
    *again, refused = wire.answer([one, two, new])
    assert [reply["data"] for reply in again] == [reply["data"] for reply in first]
    assert refused["error"]["details"]["field"] == "payload.embedding"
    assert MemoryEntry.objects.count() == 3


@pytest.mark.parametrize("number", [b"1e999", b"-1e999", b"null", b'"1"', b"NaN"])
def test_what_is_no_number_is_refused(wire, trial, number):
    body = request("create", create(embedding=[0.5] * 64)).replace(b"0.5", number, 1)
    [refused] = wire.answer([body])
    assert refused["error"]["code"] in ("validation_error", "invalid_request")
    assert not MemoryEntry.objects.exists()


def test_a_bad_one_in_a_batch_is_named_by_its_place_and_stores_nothing(wire, trial):
    memories = [create("one"), create("two", embedding=[1.0])]
    error = wire.error("batch_create", {"memories": memories})
    assert error["details"]["field"] == "payload.memories[1].embedding"
    assert not MemoryEntry.objects.exists()


def test_without_a_model_it_is_refused(wire):
    assert "No embedding model" in wire.error("create", create(embedding=GIVEN))["message"]


def test_a_repeat_changes_nothing(wire, trial):
    body = request("create", create("words", embedding=GIVEN))
    replies = wire.answer([body, body]) + wire.answer([body])
    assert len({reply["data"]["memory_id"] for reply in replies}) == 1
    assert Embedding.objects.count() == 1


def test_a_new_content_forgets_it_and_is_embedded(wire, trial):
    memory_id = wire.create("words", embedding=GIVEN)
    wire.data("update", {"memory_id": memory_id, "priority": 9})
    assert vector_of(memory_id) == UNIT
    wire.data("update", {"memory_id": memory_id, "content": {"text": "others"}})
    assert not Embedding.objects.exists()
    embed_all()
    assert vector_of(memory_id) == pytest.approx(trial.embed_queries(["others"])[0])


def test_where_clients_give_all_vectors_nothing_waits_to_be_made(wire, embedders):
    serve_by(GivenEmbedder(64), "given")
    memory_id = wire.create("words", embedding=GIVEN)
    wire.create("others")
    wire.data("update", {"memory_id": memory_id, "content": {"text": "new"}})
    assert not EmbeddingTask.objects.exists()
    assert not Embedding.objects.exists()
    found = wire.data("search", {"query": "new"})
    assert found["results"][0]["memory_id"] == memory_id
    assert found["search_metadata"]["partial"] is True
    error = wire.error("search", {"query": "new", "search_type": "semantic"})
    assert error["code"] == "search_error" and "query_embedding" in error["message"]


def test_creates_without_one_do_not_pay_for_it(wire, trial, django_assert_max_num_queries):
    wire.create("the session is open now")
    with django_assert_max_num_queries(2) as run:
        wire.create("words")
    assert not any("INTO embeddings " in query["sql"] for query in run.captured_queries)
