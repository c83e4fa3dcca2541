"""Whatever is sent gets exactly one reply, an error that names what is wrong, and harms nobody."""

import json

import pytest

from .wire import create, new_name, page, read, request, status_of

SQL = "'; DROP TABLE memory_entries; --"
MIB = 1 << 20


def body_of(**fields):
    envelope = create("session", "text") | fields
    return json.dumps(envelope).encode()


def with_payload(action, text):
    """A request whose payload is this JSON text, which json.dumps might not write."""
    return json.dumps(request(action, {"@": 0}, "session")).replace('{"@": 0}', text).encode()


def memory(**fields):
    return {"memory_type": "conversation", "content": {"text": "x"}, **fields}


INVALID_BODIES = {
    "empty": b"",
    "white space": b" \n\t",
    "text": b"hello",
    "half an object": b'{"action": "ping"',
    "two objects": b'{"action": "ping"} {"action": "ping"}',
    "a list": b'[{"action": "ping"}]',
    "a number": b"7",
    "null": b"null",
    "a string": b'"ping"',
    "100 000 brackets": b"[" * 100_000,
    "100 000 closed brackets": b"[" * 100_000 + b"]" * 100_000,
    "100 000 objects": b'{"a":' * 100_000,
    "100 000 brackets in the payload": with_payload(
        "create", '{"content": ' + "[" * 100_000 + "]" * 100_000 + "}"
    ),
    "no UTF-8": b'{"action": "ping", "request_id": "\xff\xfe"}',
    "UTF-16": '{"action": "ping"}'.encode("utf-16"),
    "a UTF-8 surrogate": b'{"action": "create", "request_id": "\xed\xa0\x80"}',
    "a lone surrogate": with_payload(
        "create", '{"memory_type": "a", "content": {"text": "\\ud800"}}'
    ),
    "a lone surrogate in the id": b'{"action": "create", "request_id": "\\udfff"}',
    "NaN": with_payload("create", '{"memory_type": "a", "content": {"n": NaN}}'),
    "Infinity": with_payload("create", '{"memory_type": "a", "content": {"n": -Infinity}}'),
    "raw bytes": bytes(range(256)),
    "NUL bytes": b"\0" * 1000,
    "no action": b'{"request_id": "r"}',
    "action null": body_of(action=None),
    "action a list": body_of(action=["create"]),
    "unknown action": body_of(action="drop"),
    "SQL as action": body_of(action=SQL),
    "empty action": body_of(action=""),
    "no request id": json.dumps({**request("create"), "request_id": None}).encode(),
    "empty request id": body_of(request_id=""),
    "request id a number": body_of(request_id=7),
    "request id too long": body_of(request_id="r" * 256),
    "no session": body_of(session_id=None),
    "session a number": body_of(session_id=7),
    "payload a list": body_of(payload=[]),
    "payload text": body_of(payload="text"),
    "payload null": body_of(payload=None),
    "timestamp wrong": body_of(timestamp="yesterday"),
    "timestamp a number": body_of(timestamp=7),
    "timestamp absent": body_of(timestamp=None),
}

WRONG_PAYLOADS = {
    "no type": ("create", {"content": {"text": "x"}}, "payload.memory_type"),
    "type a number": ("create", memory(memory_type=7), "payload.memory_type"),
    "type too long": ("create", memory(memory_type="t" * 33), "payload.memory_type"),
    "no content": ("create", {"memory_type": "a"}, "payload.content"),
    "content null": ("create", memory(content=None), "payload.content"),
    "content empty": ("create", memory(content={}), "payload.content"),
    "content a list": ("create", memory(content=[1]), "payload.content"),
    "tags text": ("create", memory(tags="pets"), "payload.tags"),
    "a tag a number": ("create", memory(tags=[7]), "payload.tags[0]"),
    "10 000 tags": ("create", memory(tags=[f"t{n}" for n in range(10_000)]), "payload.tags"),
    "a tag too long": ("create", memory(tags=["t" * 65]), "payload.tags[0]"),
    "priority 0": ("create", memory(priority=0), "payload.priority"),
    "priority 11": ("create", memory(priority=11), "payload.priority"),
    "priority half": ("create", memory(priority=5.5), "payload.priority"),
    "priority text": ("create", memory(priority="5"), "payload.priority"),
    "priority true": ("create", memory(priority=True), "payload.priority"),
    "ttl 0": ("create", memory(ttl=0), "payload.ttl"),
    "ttl huge": ("create", memory(ttl=10**30), "payload.ttl"),
    "ttl text": ("create", memory(ttl="1 hour"), "payload.ttl"),
    "created in the future": ("create", memory(created_at="2999-01-01"), "payload.created_at"),
    "NUL in the text": ("create", memory(content={"text": "a\0b"}), "payload.content.text"),
    "NUL in a key": ("create", memory(content={"a\0": 1}), "payload.content"),
    "NUL in a tag": ("create", memory(tags=["a", "b\0"]), "payload.tags[1]"),
    "NUL in the type": ("create", memory(memory_type="a\0"), "payload.memory_type"),
    "NUL in a query": ("search", {"query": "a\0"}, "payload.query"),
    "NUL in a read": ("read", {"memory_id": "mem-\0"}, "payload.memory_id"),
    "NUL in a user": ("create_session", {"user_id": "u\0"}, "payload.user_id"),
    "id too long": ("read", {"memory_id": "m" * 65}, "payload.memory_id"),
    "id a number": ("read", {"memory_id": 7}, "payload.memory_id"),
    "id null": ("delete", {"memory_id": None}, "payload.memory_id"),
    "nothing to update": ("update", {"memory_id": "mem-x"}, "payload"),
    "neither ids nor filter": ("batch_read", {}, "payload.filter"),
    "no ids": ("batch_read", {"memory_ids": []}, "payload.memory_ids"),
    "limit 0": ("batch_read", {"filter": {"limit": 0}}, "payload.filter.limit"),
    "limit 1001": ("batch_read", {"filter": {"limit": 1001}}, "payload.filter.limit"),
    "offset below 0": ("batch_read", {"filter": {"offset": -1}}, "payload.filter.offset"),
    "scope wrong": ("batch_read", {"filter": {"scope": "galaxy"}}, "payload.filter.scope"),
    "sort by SQL": (
        "batch_read",
        {"filter": {"sort": {"field": SQL}}},
        "payload.filter.sort.field",
    ),
    "time wrong": (
        "batch_read",
        {"filter": {"time_range": {"start": "soon"}}},
        "payload.filter.time_range.start",
    ),
    "time out of range": (
        "batch_read",
        {"filter": {"time_range": {"end": "99999-01-01"}}},
        "payload.filter.time_range.end",
    ),
    "no query": ("search", {}, "payload.query"),
    "empty query": ("search", {"query": ""}, "payload.query"),
    "similarity 2": (
        "search",
        {"query": "x", "filters": {"min_similarity": 2}},
        "payload.filters.min_similarity",
    ),
    "empty filter": ("bulk_delete", {"filter": {}}, "payload.filter"),
    "unknown filter": (
        "bulk_delete",
        {"filter": {"memory_type": "a", "olderthan": "2020-01-01"}},
        "payload.filter.olderthan",
    ),
    "no memories": ("batch_create", {"memories": []}, "payload.memories"),
    "1001 memories": ("batch_create", {"memories": [memory()] * 1001}, "payload.memories"),
    "a wrong member": (
        "batch_create",
        {"memories": [memory(), memory(content={})]},
        "payload.memories[1].content",
    ),
    "depth of 65": (
        "create",
        memory(content={"a": json.loads("[" * 64 + "]" * 64)}),
        "payload.content",
    ),
}


def error_of(peer, body):
    """The error of the one reply to this body; a ping after it is answered next, and well."""
    peer.send_body(body)
    reply = peer.receive()
    assert reply["status"] == "error", reply
    after = request("ping")
    answer = peer.ask(after)
    assert (answer["request_id"], status_of(answer)) == (after["request_id"], "ok")
    return reply["error"]


@pytest.mark.parametrize("name", INVALID_BODIES)
def test_what_is_no_request_is_refused_as_such(peer, name):
    assert error_of(peer, INVALID_BODIES[name])["code"] == "invalid_request"


@pytest.mark.parametrize("name", WRONG_PAYLOADS)
def test_a_wrong_field_is_named(peer, name):
    action, payload, field = WRONG_PAYLOADS[name]
    error = error_of(peer, json.dumps(request(action, payload, "session")).encode())
    assert (error["code"], error["details"]["field"]) == ("validation_error", field)


@pytest.mark.parametrize("field", ["request_id", "session_id"])
def test_nul_in_the_envelope_is_named(peer, field):
    error = error_of(peer, body_of(**{field: "a\0b"}))
    assert (error["code"], error["details"]["field"]) == ("validation_error", field)


@pytest.mark.parametrize("size_bytes", [MIB + 1, 4 * MIB, 16 * MIB])
def test_a_body_that_is_too_large_is_refused_by_a_reply(peer, size_bytes):
    body = body_of(payload=memory(content={"text": ""}))
    filler = b"x" * (size_bytes - len(body))
    error = error_of(peer, body.replace(b'"text": ""', b'"text": "' + filler + b'"'))
    assert error["code"] == "validation_error"
    assert error["details"]["field"] == "body"


def test_the_largest_body_that_is_allowed_is_stored(peer):
    session = new_name("s")
    asked = create(session, "")
    text = "x" * (MIB - len(json.dumps(asked)))
    asked["payload"]["content"]["text"] = text
    assert len(json.dumps(asked)) == MIB
    memory_id = peer.data(asked)["memory_id"]
    assert peer.data(read(memory_id))["content"] == {"text": text}


@pytest.mark.parametrize(
    "content",
    [
        {"n": 10**400},
        {"n": -(10**30)},
        {"n": 12345678901234567890},
        {"n": 0.1},
        {"text": SQL},
        {SQL: SQL},
        {"text": "\U0001f600 \u202e \ufeff \x7f"},
    ],
)
def test_what_is_odd_but_legal_comes_back_equal(peer, content):
    asked = request("create", memory(content=content), new_name("s"))
    memory_id = peer.data(asked)["memory_id"]
    assert peer.data(read(memory_id))["content"] == content


def test_numbers_come_back_digit_by_digit(peer):
    digits = "3.14159265358979323846264338327950288419716939937510"
    peer.send_body(
        with_payload("create", '{"memory_type": "a", "content": {"pi": ' + digits + "}}")
    )
    memory_id = peer.receive()["data"]["memory_id"]
    peer.send(read(memory_id, fresh=True))
    assert digits.encode() in peer.socket.recv_multipart()[-1]


def test_a_number_that_cannot_be_kept_is_refused(peer):
    body = with_payload("create", '{"memory_type": "a", "content": {"n": 1e999999999}}')
    assert error_of(peer, body)["details"]["field"] == "payload.content"


def test_sql_in_every_field_is_text(server, peer):
    session, kind = new_name(SQL)[:64], SQL
    asked = request(
        "create",
        memory(memory_type=kind, tags=[SQL], metadata={"agent_id": SQL}),
        session,
        request_id=f"{SQL}{new_name('r')}",
    )
    memory_id = peer.data(asked)["memory_id"]
    for filter_ in ({"memory_type": kind}, {"tags": [SQL]}, {"memory_types": [kind, SQL]}):
        assert peer.data(page(session, **filter_))["total_count"] == 1
    for search_type in ("keyword", "hybrid", "semantic"):
        peer.data(request("search", {"query": SQL, "search_type": search_type}, session))
    assert peer.ask(read(SQL))["error"]["code"] == "memory_not_found"
    assert peer.ask(request("end_session", {}, new_name(SQL)))["error"]["code"] == (
        "session_not_found"
    )
    peer.data(request("create_session", {"user_id": SQL, "session_type": kind}))
    peer.data(request("update", {"memory_id": memory_id, "tags": [SQL, "b"]}, session))
    swept = peer.data(request("bulk_delete", {"filter": {"tags": [SQL]}}, session))
    assert swept["deleted_count"] == 1
    assert server.rows("SELECT count(*) > 0 FROM memory_entries") == [(True,)]


def test_bodies_of_one_flood_get_a_reply_each(peer):
    """All of it at once, good requests among it, which are carried out."""
    session = new_name("s")
    good = [create(session, f"turn {number}") for number in range(len(INVALID_BODIES))]
    for body, each in zip(INVALID_BODIES.values(), good, strict=True):
        peer.send_body(body)
        peer.send(each)
    replies = [peer.receive() for _ in range(2 * len(good))]
    assert [reply["status"] for reply in replies].count("error") == len(good)
    assert peer.data(page(session))["total_count"] == len(good)


def test_frames_beyond_the_body_are_an_envelope(connect, orchestrator):
    peer = connect(orchestrator, delimiter=(b"", b"not json", b"\xff" * 1000))
    assert peer.ping() == "ok"
    assert peer.data(create(new_name("s"), "x"))
