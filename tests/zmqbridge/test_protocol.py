"""The envelope and the path of what is wrong in a payload, without a database."""

import json
import time
from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.factories import create, request
from zmqbridge.payloads import CreatePayload, SearchPayload
from zmqbridge.protocol import (
    Code,
    WireError,
    parse_time,
    read_envelope,
    read_payload,
    request_key,
)
from zmqbridge.readable import readable

DEEP = b'{"a":' * 2000 + b"1" + b"}" * 2000
NOW = datetime(2026, 1, 31, tzinfo=UTC)
VALID = {
    "action": "create",
    "request_id": "1",
    "session_id": "s",
    "timestamp": "2026-01-31T08:30:45.123456Z",
    "payload": {},
}


def read(body, max_body_bytes=1 << 20):
    return read_envelope(body, NOW, max_body_bytes)


def envelope(**changes):
    return json.dumps(VALID | changes).encode()


def refused(body):
    with pytest.raises(WireError) as error:
        read(body)
    return error.value


class TestEnvelope:
    @pytest.mark.parametrize(
        "field", ["action", "request_id", "session_id", "timestamp", "payload"]
    )
    @pytest.mark.parametrize("value", ["LEFT OUT", None, 5, [], True])
    def test_every_field_is_needed_and_of_its_type(self, field, value):
        fields = VALID | {field: value}
        if value == "LEFT OUT":
            del fields[field]
        error = refused(json.dumps(fields).encode())
        assert error.code == Code.INVALID_REQUEST
        assert error.details["field"] == field

    @pytest.mark.parametrize("request_id", ["", "x" * 256])
    def test_a_request_id_has_1_to_255_characters(self, request_id):
        assert refused(envelope(request_id=request_id)).code == Code.INVALID_REQUEST
        assert read(envelope(request_id="é" * 255)).request_id == "é" * 255

    @pytest.mark.parametrize(
        "timestamp", ["", "now", "2026-13-01", "1769848245", "2026-01-31T25:00"]
    )
    def test_a_timestamp_is_a_time(self, timestamp):
        error = refused(envelope(timestamp=timestamp))
        assert (error.code, error.details["field"]) == (Code.INVALID_REQUEST, "timestamp")

    def test_a_session_id_is_bounded(self):
        assert read(envelope(session_id="x" * 64))
        error = refused(envelope(session_id="x" * 65))
        assert (error.code, error.details["field"]) == (Code.VALIDATION_ERROR, "session_id")

    def test_create_session_needs_none(self):
        for session_id in (None, ""):
            assert read(envelope(action="create_session", session_id=session_id)).session_id == ""

    def test_unknown_fields_are_ignored(self):
        assert read(envelope(unknown={"a": [1e300]}, api_key=None)) == read(envelope())

    @pytest.mark.parametrize("field", ["request_id", "session_id"])
    def test_no_field_holds_a_nul(self, field):
        error = refused(envelope(**{field: "a\x00b"}))
        assert (error.code, error.details["field"]) == (Code.VALIDATION_ERROR, field)

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"{",
            b"[]",
            b"5",
            b'"a"',
            b"\xff",
            b'{"a":"\\ud800"}',
            b"NaN",
            b'{"a":1}}',
            b"{'a':1}",
        ],
    )
    def test_what_is_no_json_object(self, body):
        assert refused(body).code == Code.INVALID_REQUEST

    @pytest.mark.parametrize("field", ["action", "request_id"])
    def test_text_that_is_no_unicode(self, field):
        body = envelope(**{field: "HERE"}).replace(b"HERE", b"\\udc00")
        assert refused(body).code == Code.INVALID_REQUEST


class TestReadable:
    @pytest.mark.parametrize(
        ("body", "found"),
        [
            (b'{"action":"create","request_id":"7"}', ("create", "7")),
            (b'{"request_id":"7","n":1e999}', (None, "7")),
            (b'{"action":5,"request_id":"7"}', (None, "7")),
            (b'{"action":"create","request_id":7}', ("create", "unknown")),
            (b'{"action":"create","request_id":""}', ("create", "unknown")),
            (b'{"action":"create"}', ("create", "unknown")),
            (b'{"action":"stats","request_id":1e999}', ("stats", "unknown")),
            (b'{"action":"\\udfff","request_id":"7"}', (None, "7")),
            (b'{"request_id":"7","payload":{"action":"x","t":"\\ud800"},"action":"y"}', ("y", "7")),
            (b'{"payload":%s,"action":"a","request_id":"7"}' % DEEP, ("a", "7")),
            (b'{"request_id":"7","action":"a","payload":' + b"[" * 100_000, ("a", "7")),
            (b'{"action":"a"} {"request_id":"7"}', ("a", "unknown")),
            (b'{"n":"request_id","m":"7","x":"\\ud800"}', (None, "unknown")),
            (b"[]", (None, "unknown")),
            (b"no json", (None, "unknown")),
        ],
    )
    def test_what_could_be_read_is_echoed(self, body, found):
        assert readable(body) == found

    @pytest.mark.parametrize("body", [b'{"a":"' + b'\\"' * (8 << 20), b'{"a":' + b"[" * (16 << 20)])
    def test_no_body_takes_long(self, body):
        start = time.process_time()
        assert readable(body) == (None, "unknown")
        assert time.process_time() - start < 2

    @pytest.mark.parametrize("request_id", [b"1e999", b'"a\\u0000"', b"7"])
    def test_a_ping_is_one_whatever_its_request_id_is(self, request_id):
        assert read(b'{"action":"ping","request_id":%s}' % request_id).action == "ping"

    @pytest.mark.parametrize("body", [b"no json" * 200, envelope(payload={"a": "b" * 1000})])
    def test_what_is_too_large_is_told_first(self, body):
        with pytest.raises(WireError) as error:
            read(body, max_body_bytes=1000)
        assert error.value.code == Code.VALIDATION_ERROR


class TestPayload:
    decoder = msgspec.json.Decoder(CreatePayload)

    def wrong(self, payload, decoder=None):
        with pytest.raises(WireError) as error:
            read_payload(read(request("create", payload)), decoder or self.decoder)
        assert error.value.code == Code.VALIDATION_ERROR
        return error.value.details["field"]

    @pytest.mark.parametrize(
        ("payload", "field"),
        [
            ({"content": "x"}, "payload.memory_type"),
            ({"memory_type": "x"}, "payload.content"),
            (create(memory_type=""), "payload.memory_type"),
            (create(memory_type="x" * 33), "payload.memory_type"),
            (create(memory_type=5), "payload.memory_type"),
            (create(priority=0), "payload.priority"),
            (create(priority=11), "payload.priority"),
            (create(priority=5.5), "payload.priority"),
            (create(priority="5"), "payload.priority"),
            (create(priority=True), "payload.priority"),
            (create(ttl=0), "payload.ttl"),
            (create(ttl=-1), "payload.ttl"),
            (create(ttl=10**30), "payload.ttl"),
            (create(tags="x"), "payload.tags"),
            (create(tags=["x"] * 65), "payload.tags"),
            (create(tags=["x", ""]), "payload.tags[1]"),
            (create(tags=["x" * 65]), "payload.tags[0]"),
            (create(tags=["a\x00b"]), "payload.tags[0]"),
            (create("a\x00b"), "payload.content.text"),
            (create() | {"content": {"a": [1, {"b\x00": 2}]}}, "payload.content.a[1]"),
            (create(metadata={"agent_id": 5}), "payload.metadata.agent_id"),
            (create(metadata={"agent_id": "x" * 65}), "payload.metadata.agent_id"),
        ],
    )
    def test_what_is_wrong_is_named_by_its_path(self, payload, field):
        assert self.wrong(payload) == field

    def test_in_a_filter(self):
        search = msgspec.json.Decoder(SearchPayload)
        for filters, field in (
            ({"min_similarity": 1.1}, "min_similarity"),
            ({"limit": 101}, "limit"),
            ({"limit": 0}, "limit"),
            ({"scope": "everyone"}, "scope"),
            ({"tags_match": "some"}, "tags_match"),
        ):
            assert self.wrong({"query": "x", "filters": filters}, search) == (
                f"payload.filters.{field}"
            )

    def test_a_backslash_before_u0000_is_no_nul(self):
        body = request("create", create("HERE")).replace(b"HERE", b"\\\\u0000")
        assert read_payload(read(body), self.decoder)

    @given(st.text().filter(lambda text: "\x00" not in text))
    def test_every_other_text_is_let_through(self, text):
        payload = read_payload(read(request("create", create(text))), self.decoder)
        assert json.loads(bytes(payload.content)) == {"text": text}


class TestTimes:
    @pytest.mark.parametrize(
        ("text", "moment"),
        [
            ("2026-01-31T08:30:45.123456Z", datetime(2026, 1, 31, 8, 30, 45, 123456, UTC)),
            ("2026-01-31T08:30:45", datetime(2026, 1, 31, 8, 30, 45, 0, UTC)),
            ("2026-01-31 10:30:45+02:00", datetime(2026, 1, 31, 8, 30, 45, 0, UTC)),
            ("2026-01-31", datetime(2026, 1, 31, tzinfo=UTC)),
        ],
    )
    def test_an_offset_is_honoured_and_none_is_utc(self, text, moment):
        assert parse_time(text, "field") == moment

    @pytest.mark.parametrize("text", ["", "yesterday", "0001-01-01T00:00:00+23:00", "2026-02-30"])
    def test_what_is_no_time_is_refused_by_name(self, text):
        with pytest.raises(WireError) as error:
            parse_time(text, "payload.created_at")
        assert error.value.details["field"] == "payload.created_at"


class TestRequestKey:
    def key(self, payload_json, **changes):
        body = envelope(**changes).replace(b'"payload": {}', b'"payload": ' + payload_json)
        return request_key(read(body))

    def test_order_and_white_space_do_not_count(self):
        assert self.key(b'{"a":1,"b":[2,3]}') == self.key(b'{ "b" : [2, 3], "a": 1 }')

    def test_everything_else_does(self):
        keys = [
            self.key(b'{"a":[1,2]}'),
            self.key(b'{"a":[2,1]}'),
            self.key(b'{"a":1}'),
            self.key(b'{"a":1.0}'),
            self.key(b'{"a":"1"}'),
            self.key(b'{"a":1.00}'),
            self.key(b'{"a":1e999}'),
            self.key(b'{"a":12345678901234567890}'),
            self.key(b'{"a":12345678901234567891}'),
            self.key(b"{}", session_id="s1", request_id="2"),
            self.key(b"{}", session_id="s", request_id="12"),
            self.key(b"{}", action="update"),
        ]
        assert len(set(keys)) == len(keys)
