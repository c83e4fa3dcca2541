"""The docs say what the code does: actions, fields, limits, codes, examples and lanes."""

import re
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from threading import Event
from typing import Any, NamedTuple

import msgspec
import pytest
from msgspec import inspect

from zmqbridge import protocol
from zmqbridge.accesses import Accesses
from zmqbridge.cache import ReadCache
from zmqbridge.client import results
from zmqbridge.config import ServerConfig
from zmqbridge.handlers import HANDLERS, LaneName
from zmqbridge.latencies import Latencies
from zmqbridge.metrics.families import Families, Sources
from zmqbridge.metrics.measuring import Measuring
from zmqbridge.observer import Observer
from zmqbridge.outbox import Outbox
from zmqbridge.patience import Patience
from zmqbridge.payloads import BatchCreatePayload, CreatePayload
from zmqbridge.skew import Skew

DOCS = Path(__file__).parent.parent / "docs"
PAGE = (DOCS / "protocol.md").read_text()

# What the client decodes each reply's data into: its fields have to be documented.
DATA = {
    "create": results.Stored,
    "read": results.Memory,
    "update": results.Updated,
    "delete": results.Deleted,
    "batch_read": results.Page,
    "search": results.SearchResults,
    "create_session": results.OpenedSession,
    "end_session": results.EndedSession,
    "bulk_delete": results.BulkDeleted,
    "summarize": results.Summary,
    "batch_create": results.BatchStored,
    "restore": results.Restored,
    "history": results.History,
    "get_session": results.Session,
    "list_sessions": results.Sessions,
    "relate": results.Relationship,
    "unrelate": results.Removed,
    "related": results.Related,
    "context": results.Context,
    "get_profile": results.Profile,
    "update_profile": results.Profile,
    "get_state": results.AgentState,
    "set_state": results.AgentState,
    "stats": dict[str, Any],
}


class Row(NamedTuple):
    is_required: bool
    text: str


@cache
def section_of(title: str) -> str:
    found = re.search(rf"^(#+) `?{re.escape(title)}`?$(.*?)(?=^#{{1,3}} |\Z)", PAGE, re.M | re.S)
    assert found, f"docs/protocol.md has no section {title}"
    return found[2]


def documented_fields(action: str) -> dict[str, Row]:
    rows = re.findall(r"^\| `([\w.]+)`( \(required\))? \|(.*)$", section_of(action), re.M)
    return {name: Row(bool(required), text) for name, required, text in rows}


def fields_of(struct: type[msgspec.Struct], prefix: str = "") -> dict[str, inspect.Field]:
    """The fields of a payload by their path below it, those of structs inside included."""
    found: dict[str, inspect.Field] = {}
    for field in msgspec.inspect.type_info(struct).fields:
        name = f"{prefix}{field.encode_name}"
        inner = inner_struct(field.type)
        if inner is None or field.required or is_list(field.type):
            found[name] = field
        if inner is not None:
            found |= fields_of(inner, f"{name}.")
    return found


def members(kind: inspect.Type) -> list[inspect.Type]:
    """The types that a field may have, null and "left out" aside."""
    return list(kind.types) if isinstance(kind, inspect.UnionType) else [kind]


def inner_struct(kind: inspect.Type) -> type[msgspec.Struct] | None:
    for member in members(kind):
        if isinstance(member, inspect.StructType):
            return member.cls
        if isinstance(member, inspect.ListType):
            return inner_struct(member.item_type)
    return None


def is_list(kind: inspect.Type) -> bool:
    return any(isinstance(member, inspect.ListType) for member in members(kind))


def limits_of(kind: inspect.Type) -> set[str]:
    """The numbers and words that bound a value, as the page has to write them."""
    found: set[str] = set()
    for member in members(kind):
        if isinstance(member, inspect.LiteralType):
            found |= {f"`{word}`" for word in member.values}
        if isinstance(member, inspect.ListType):
            found |= limits_of(member.item_type)
        bounds = [getattr(member, name, None) for name in ("min_length", "max_length", "ge", "le")]
        found |= {f"{bound:g}" if bound < 1e6 else str(bound) for bound in bounds if bound}
    return found


def examples() -> list[str]:
    return re.findall(r"^```json\n(.*?)^```", PAGE, re.M | re.S)


def test_every_action_is_documented_and_nothing_else_is():
    actions = re.findall(r"^### `(\w+)`$", PAGE, re.M)
    assert sorted(actions) == sorted(HANDLERS)  # each once: of two sections one grows untrue
    assert set(re.findall(r"`(\w+)`", section_of("Pings"))) >= protocol.PINGS


def test_the_version_is_that_of_the_code():
    assert f"Version {protocol.VERSION}." in PAGE


def test_every_error_code_is_documented_and_nothing_else_is():
    codes = re.findall(r"^\| `(\w+)` \|", section_of("Errors"), re.M)
    assert sorted(codes) == sorted(protocol.Code)


@pytest.mark.parametrize("action", HANDLERS)
def test_payload_fields_are_the_documented_ones(action):
    fields = fields_of(HANDLERS[action].payload)
    documented = documented_fields(action)
    assert documented.keys() == fields.keys()
    for name, field in fields.items():
        assert documented[name].is_required == field.required, name
        numbers_and_words = set(re.findall(r"`\w+`|\d+", documented[name].text))
        assert limits_of(field.type) <= numbers_and_words, name


def test_a_limit_that_is_not_documented_is_noticed():
    """The comparison above would be worth nothing if it found no limits."""
    fields = fields_of(CreatePayload)
    assert limits_of(fields["priority"].type) == {"1", "10"}
    assert limits_of(fields["tags"].type) == {"1", "64"}
    assert "memories.tags" in fields_of(BatchCreatePayload)


@pytest.mark.parametrize("action", HANDLERS)
def test_data_fields_are_documented(action):
    text = section_of(action)
    if action == "list_sessions":
        text += section_of("get_session")
    if action in {"batch_read", "search", "related", "context"}:
        text += section_of("read")
    kind = DATA[action]
    needed = required_data(kind) if isinstance(kind, type) else set()
    assert {name for name in needed if f"`{name}`" not in text} == set()


def required_data(struct: type[msgspec.Struct]) -> set[str]:
    found = set()
    for field in msgspec.inspect.type_info(struct).fields:
        if not field.required:
            continue
        found.add(field.encode_name)
        inner = inner_struct(field.type)
        if inner is not None:
            found |= required_data(inner)
    return found


def test_limits_of_the_transport_are_those_of_the_code():
    config = ServerConfig(endpoints=())
    transport = section_of("Transport")
    assert f"{config.max_body_bytes} bytes" in transport
    assert f"{protocol.MAX_REPLY_BYTES} bytes" in transport
    assert config.max_message_bytes >= 16 * config.max_body_bytes
    envelope = section_of("Envelope")
    assert f"1 to {protocol.REQUEST_ID_MAX_CHARACTERS} characters" in envelope
    assert f"at most {protocol.ID_MAX_CHARACTERS} characters" in envelope


@pytest.mark.parametrize("example", examples())
def test_examples_are_what_the_code_reads_and_writes(example):
    found = msgspec.json.decode(example)
    if "status" not in found:
        request = protocol.read_envelope(example.encode(), datetime.now(UTC), 1 << 20)
        if request.action not in protocol.PINGS:
            decoder = msgspec.json.Decoder(HANDLERS[request.action].payload)
            protocol.read_payload(request, decoder)
    elif "data" in found:
        assert found["data"].keys() >= required_names(DATA[found["action"]])
        msgspec.convert(found["data"], DATA[found["action"]])
    elif found["status"] == "error":
        assert found["error"]["code"] in set(protocol.Code)
    else:
        request = protocol.read_envelope(b'{"action": "ping"}', datetime.now(UTC), 1 << 20)
        written = protocol.encode_ping(request, {"database": "away"})
        assert found.keys() == msgspec.json.decode(written).keys()


def required_names(kind: type[msgspec.Struct]) -> set[str]:
    return {f.encode_name for f in msgspec.inspect.type_info(kind).fields if f.required}


def test_the_example_of_an_error_is_what_the_code_says():
    [request, _, error, *_] = examples()
    request = request.replace('"payload": {', '"payload": {"priority": 11, ')
    read = protocol.read_envelope(request.encode(), datetime.now(UTC), 1 << 20)
    with pytest.raises(protocol.WireError) as refusal:
        protocol.read_payload(read, msgspec.json.Decoder(HANDLERS["create"].payload))
    written = msgspec.json.decode(protocol.encode_error("create", "3f0c", refusal.value))
    assert written["error"] == msgspec.json.decode(error)["error"]


# Some requests of an action go into another lane than the rest.
MOVED = {
    LaneName.BULK: {"restore", "batch_create"},
    LaneName.WORDS: {"search"},
}


@pytest.mark.parametrize("lane", LaneName)
def test_the_lanes_are_the_documented_ones(lane):
    architecture = (DOCS / "architecture.md").read_text()
    [actions] = re.findall(rf"^\| {lane} \| (.+?) \|", architecture, re.M)
    named = {words.split()[0] for words in actions.split(", ")}
    moved = MOVED.get(lane, set())
    assert named - moved == {name for name, each in HANDLERS.items() if each.lane is lane}


def exported_families():
    """Every metric, from parts that have nothing to tell."""
    return Families(
        Sources(
            latencies=Latencies(),
            observer=Observer(Latencies()),
            lanes={},
            outbox=Outbox(None, 1, 1),
            cache=ReadCache(1, 1, 1),
            accesses=Accesses(),
            patience=Patience(1, Event()),
            measuring=Measuring(),
            skew=Skew(),
            jobs=[],
        )
    ).collect()


def test_the_metrics_are_the_documented_ones():
    page = (DOCS / "metrics.md").read_text()
    told = re.findall(r"^\| `(memories_\w+)` \| (\w+) \| (.*?) \| (.*?) \|$", page, re.M)
    exported = [
        (
            family.name + "_total" * (family.type == "counter"),
            family.type,
            ", ".join(f"`{label}`" for label in family._labelnames),
            family.documentation,
        )
        for family in exported_families()
    ]
    assert sorted(told) == sorted(exported)
