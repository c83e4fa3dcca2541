"""An endpoint that behaves, and all the ways in which one does not."""

import email.utils
import math
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from memories.embedders.circuit import Circuit
from memories.embedders.errors import (
    EmbedderLoadError,
    EmbedderUnavailable,
    InvalidAnswer,
    TextsRefused,
)
from memories.embedders.loading import load_embedder
from memories.embedders.options import EmbedderOptions, OpenAiOptions
from tests.memories.embedders.endpoint import (
    Endpoint,
    body,
    drop,
    hang,
    status,
    trickle,
    vectors,
)
from tests.waiting import wait_until


@pytest.fixture
def endpoint():
    endpoint = Endpoint()
    yield endpoint
    endpoint.stop()


@pytest.fixture
def load(endpoint, tmp_path):
    """Makes embedders on the endpoint, with some options changed."""
    made = []

    def load(**changes):
        options = {"base_url": endpoint.url, "model": "small", "dimension": 3, **changes}
        embedder = load_embedder(
            "openai", tmp_path, EmbedderOptions(openai=OpenAiOptions(**options))
        )
        made.append(embedder)
        return embedder

    yield load
    for embedder in made:
        embedder.close()


def unit(characters):
    return pytest.approx(np.array([characters, 1, 0]) / math.hypot(characters, 1))


def test_texts_go_out_in_batches_with_the_key_and_come_back_in_order(endpoint, load):
    embedder = load(api_key="secret", texts_a_request=2)
    found = embedder.embed_documents(["a", "bb", "ccc", "dddd", "eeeee"])
    assert [row.tolist() for row in found] == [unit(n) for n in (1, 2, 3, 4, 5)]
    assert found.dtype == np.float32
    assert [len(request["input"]) for request in endpoint.requests] == [2, 2, 1]
    assert {request["path"] for request in endpoint.requests} == {"/v1/embeddings"}
    assert endpoint.keys == ["Bearer secret"] * 3
    assert "secret" not in repr(OpenAiOptions("http://h", "m", "secret"))


def test_without_a_key_none_is_sent_and_without_texts_nothing_is(endpoint, load):
    embedder = load()
    assert embedder.embed_documents([]).shape == (0, 3)
    embedder.embed_queries(["a"])
    assert endpoint.keys == [None]


def test_query_and_document_get_their_own_prefix(endpoint, load):
    embedder = load(query_prefix="query: ", document_prefix="passage: ")
    embedder.embed_queries(["a"])
    embedder.embed_documents(["b"])
    assert [request["input"] for request in endpoint.requests] == [["query: a"], ["passage: b"]]


def test_a_long_text_is_embedded_in_parts_and_gets_one_vector(endpoint, load):
    embedder = load(max_tokens=4)
    assert embedder.embed_documents(["one two. six ten. ", "a"]).shape == (2, 3)
    assert endpoint.requests[0]["input"] == ["one two.", "six ten.", "a"]


def test_a_long_query_is_cut(endpoint, load):
    load(max_tokens=4).embed_queries(["one two. six ten. "])
    assert endpoint.requests[0]["input"] == ["one two."]


def test_vectors_are_told_apart_by_their_index(endpoint, load):
    endpoint.script = [vectors(lambda items: items.reverse())]
    assert [row.tolist() for row in load().embed_documents(["a", "bb"])] == [unit(1), unit(2)]


@pytest.mark.parametrize(
    "passing",
    [status(429, Retry_After="soon"), status(500), status(503), drop],
    ids=["429", "500", "503", "drop"],
)
def test_what_may_pass_by_itself_is_tried_again(endpoint, load, passing):
    endpoint.script = [passing, passing]
    assert load().embed_queries(["a"])[0].tolist() == unit(1)
    assert len(endpoint.requests) == 3


def test_the_tries_have_an_end(endpoint, load):
    endpoint.script = [status(502)] * 9
    with pytest.raises(EmbedderUnavailable, match="HTTP 502"):
        load(attempts=2).embed_queries(["a"])
    assert len(endpoint.requests) == 2


def test_a_wait_that_the_endpoint_asks_for_is_kept(endpoint, load):
    endpoint.script = [status(429, Retry_After="1")]
    started = time.monotonic()
    load(query_deadline_seconds=20).embed_queries(["a"])
    assert 1 <= time.monotonic() - started < 20


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_a_wait_beyond_the_deadline_is_not_begun(endpoint, load, form):
    date = email.utils.formatdate(time.time() + 600, usegmt=True)
    endpoint.script = [status(429, Retry_After="600" if form == "seconds" else date)]
    started = time.monotonic()
    with pytest.raises(EmbedderUnavailable) as failure:
        load().embed_queries(["a"])
    assert time.monotonic() - started < 20
    assert failure.value.retry_after_seconds == pytest.approx(600, abs=20)


@pytest.mark.parametrize("silence", [hang, trickle])
def test_an_endpoint_that_hangs_is_left_at_the_deadline(endpoint, load, silence):
    endpoint.script = [silence] * 9
    started = time.monotonic()
    with pytest.raises(EmbedderUnavailable, match="did not answer in time"):
        load(request_timeout_seconds=0.2, query_deadline_seconds=0.5).embed_queries(["a"])
    assert time.monotonic() - started < 20


def test_one_call_that_hangs_delays_no_other(endpoint, load):
    embedder = load(request_timeout_seconds=40, query_deadline_seconds=40)
    endpoint.script = [hang]
    with ThreadPoolExecutor(1) as pool:
        hanging = pool.submit(embedder.embed_queries, ["a"])
        wait_until(lambda: endpoint.requests)
        started = time.monotonic()
        assert embedder.embed_queries(["bb"])[0].tolist() == unit(2)
        assert time.monotonic() - started < 20
        assert not hanging.done()
        endpoint.released.set()
        assert hanging.result(10)[0].tolist() == unit(1)


def test_closing_ends_the_wait_for_the_next_try(endpoint, load):
    embedder = load(document_deadline_seconds=100)
    endpoint.script = [status(503, Retry_After="50")]
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(embedder.embed_documents, ["a"])
        wait_until(lambda: endpoint.requests)
        embedder.close()
        assert waiting.exception(10) is not None


@pytest.mark.parametrize(
    ("spoilt", "said"),
    [
        (vectors(lambda items: items.pop()), "1 vectors for 2 texts"),
        (vectors(lambda items: items.append(items[0])), "3 vectors for 2 texts"),
        (vectors(lambda items: items[0].update(index=1)), "numbers them wrongly"),
        (vectors(lambda items: items[0].update(index=-1)), "numbers them wrongly"),
        (vectors(lambda items: items[0].update(embedding=[1.0])), "no lists of numbers"),
        (vectors(lambda items: [i.update(embedding=[1.0]) for i in items]), r"shape \(2, 1\)"),
        (vectors(lambda items: [i.update(embedding=[]) for i in items]), r"shape \(2, 0\)"),
        (vectors(lambda items: [i.update(embedding=1.0) for i in items]), r"shape \(2,\)"),
        (vectors(lambda items: items[0].update(embedding="AAAA")), "no lists of numbers"),
        (vectors(lambda items: items[0].update(embedding=[1, math.nan, 1])), "NaN"),
        (vectors(lambda items: items[0].update(embedding=[1, None, 1])), "NaN"),
        (vectors(lambda items: items[0].update(embedding=[1, math.inf, 1])), "infinity"),
        (vectors(lambda items: items[0].update(embedding=[0, 0, 0])), "only zeros"),
        (body("<html>Welcome!</html>"), "holds no vectors"),
        (body(""), "holds no vectors"),
        (body("[1, 2]"), "holds no vectors"),
        (body('{"data": 7}'), "holds no vectors"),
        (body('{"data": [7, 8]}'), "holds no vectors"),
        (body('{"data": [{"index": [1]}, {}]}'), "holds no vectors"),
        (body("[" * 100_000), "holds no vectors"),
        (status(401), "HTTP 401: check its URL, model and key"),
        (status(404), "HTTP 404"),
        (status(302, Location="/elsewhere"), "HTTP 302"),
    ],
)
def test_an_answer_that_is_not_one_vector_a_text_is_refused_at_once(endpoint, load, spoilt, said):
    endpoint.script = [spoilt]
    embedder = load()
    with pytest.raises(InvalidAnswer, match=said):
        embedder.embed_documents(["a", "bb"])
    assert len(endpoint.requests) == 1
    assert embedder.embed_queries(["a"])[0].tolist() == unit(1)


@pytest.mark.parametrize("code", [400, 413, 422])
def test_refused_texts_are_told_apart_and_never_open_the_circuit(endpoint, load, code):
    endpoint.script = [status(code)] * 6
    embedder = load(failures_to_open=2)
    for _ in range(6):
        with pytest.raises(TextsRefused, match=str(code)):
            embedder.embed_documents(["a"])
    assert embedder.embed_documents(["a"]).shape == (1, 3)


def test_after_some_failures_calls_are_refused_at_once_until_a_probe_succeeds(
    endpoint, load, monkeypatch
):
    now = [0.0]
    embedder = load(attempts=1, failures_to_open=3, open_seconds=60)
    monkeypatch.setattr(embedder._circuit, "_clock", lambda: now[0])
    endpoint.script = [status(500), body("?"), hang]
    with pytest.raises(EmbedderUnavailable):
        embedder.embed_queries(["a"])
    with pytest.raises(InvalidAnswer):
        embedder.embed_queries(["a"])
    endpoint.released.set()
    with pytest.raises(EmbedderUnavailable):
        embedder.embed_queries(["a"])
    with pytest.raises(EmbedderUnavailable, match="failed 3 times in a row") as failure:
        embedder.embed_queries(["a"])
    assert len(endpoint.requests) == 3
    assert failure.value.retry_after_seconds == 60
    now[0] = 60.0
    assert embedder.embed_queries(["a"])[0].tolist() == unit(1)


def test_an_open_circuit_lets_one_probe_through_and_closes_on_success():
    now = [0.0]
    circuit = Circuit(failures_to_open=2, open_seconds=10, clock=lambda: now[0])
    circuit.note_failure()
    circuit.admit()
    circuit.note_failure()
    for now[0], admitted in ((9.9, False), (10, True), (10, False), (19.9, False), (20, True)):
        if admitted:
            circuit.admit()
        else:
            with pytest.raises(EmbedderUnavailable):
                circuit.admit()
    circuit.note_success()
    circuit.admit()


def test_the_dimension_is_asked_from_the_endpoint_where_none_is_set(load):
    assert load(dimension=0).dimension == 3


def test_with_other_prefixes_it_is_another_model(load):
    names = {
        load(**prefixes).name for prefixes in ({}, {"query_prefix": "q"}, {"document_prefix": "q"})
    }
    assert len(names) == 3 and "small" in names


def test_an_endpoint_that_cannot_say_its_dimension_stops_the_start(endpoint, load):
    endpoint.script = [status(401)]
    with pytest.raises(
        EmbedderLoadError, match=r"dimension of small: .*HTTP 401.* Set EMBEDDING_DIM"
    ):
        load(dimension=0)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"base_url": "api.example.com/v1"}, "base URL such as"),
        ({"base_url": "ftp://example.com"}, "base URL such as"),
        ({"base_url": "http://"}, "base URL such as"),
        ({"base_url": "http://host:port/"}, "base URL such as"),
        ({"model": ""}, "needs a base URL and a model"),
        ({"api_key": "line\nbreak"}, "no header can carry"),
    ],
)
def test_a_setting_that_cannot_be_right_stops_the_start(load, changes, said):
    with pytest.raises(EmbedderLoadError, match=said):
        load(**changes)


def test_no_endpoint_at_all_is_a_clear_error(load):
    embedder = load(base_url="http://127.0.0.1:9/v1", attempts=1)
    with pytest.raises(EmbedderUnavailable, match="cannot be reached"):
        embedder.embed_queries(["a"])
