import json
from datetime import UTC, datetime

import pytest

from memories.models import MemoryEntry, Session, UserProfile
from memories.services.profiles import ProfileChange, update_profiles
from tests.memories.importers.stores import make_json

NOON = 1709290800.5
AT_NOON = datetime.fromtimestamp(NOON, UTC)


def entry(text, at=NOON, kind="user_input"):
    return {"timestamp": at, "type": kind, "content": text}


def test_contextual_sessions_come_over_with_their_summaries(bring, tmp_path):
    value = {
        "sessions": {"kitchen": [entry("tea"), entry("tea"), entry("coffee", NOON + 60)]},
        "summaries": {
            "kitchen": {"conversation_summary": "drinks", "last_updated": NOON + 90, "turns": 3},
            "porch": {"conversation_summary": "birds", "last_updated": NOON},
        },
    }
    path = make_json(tmp_path / "store", value)
    brought = bring(path)
    assert (brought.format, brought.is_whole, brought.findings) == ("contextual", True, [])
    kitchen, porch = Session.objects.order_by("id")
    assert (kitchen.id, kitchen.summary, kitchen.metadata) == ("kitchen", "drinks", {"turns": 3})
    assert (kitchen.created_at, porch.created_at) == (AT_NOON, AT_NOON)
    assert kitchen.updated_at == datetime.fromtimestamp(NOON + 90, UTC)
    memories = MemoryEntry.objects.filter(session="kitchen").order_by("created_at")
    assert [memory.text for memory in memories] == ["tea", "tea", "coffee"]
    assert (memories[0].memory_type, memories[0].created_at) == ("user_input", AT_NOON)
    assert memories[0].content == {"text": "tea", "timestamp": NOON, "type": "user_input"}


def test_a_list_that_grows_and_loses_its_oldest_brings_what_is_new(bring, tmp_path):
    path = tmp_path / "store"
    bring(make_json(path, {"sessions": {"k": [entry("a"), entry("b")]}}))
    assert bring(make_json(path, {"sessions": {"k": [entry("b"), entry("c")]}})).new == 1
    assert set(MemoryEntry.objects.values_list("text", flat=True)) == {"a", "b", "c"}


def test_entries_under_an_empty_key_stand_without_a_session_of_their_own(bring, tmp_path, told):
    value = {"sessions": {"": [entry("a")], "k": [entry("b")]}, "summaries": {"": {"x": 1}}}
    brought = bring(make_json(tmp_path / "store", value))
    assert told(brought) == [("sessions", "", "the session has no id")]
    assert brought.is_whole
    assert set(MemoryEntry.objects.values_list("text", flat=True)) == {"a", "b"}


@pytest.mark.parametrize("writes", [True, False])
def test_what_is_no_list_of_memories_is_told(bring, tmp_path, told, writes):
    value = {
        "anna": [{"timestamp": NOON, "memory": "tea"}],
        "bob": {"timestamp": NOON, "memory": "an object"},
        "carl": "a text",
        "dora": None,
    }
    brought = bring(make_json(tmp_path / "store", value), writes=writes)
    found = "what stands there is no list of memories"
    assert [one for one in told(brought) if one[0] != "entries"] == [
        ("objects", "bob", found),
        ("others", "carl", found),
        ("others", "dora", found),
    ]
    assert (brought.tallies["objects"].rows, brought.tallies["others"].skipped) == (1, 2)
    assert brought.is_whole == writes


def test_a_summary_that_stands_there_twice_is_told_once(bring, tmp_path, told):
    path = tmp_path / "store"
    path.write_text(
        '{"sessions": {"k": []}, "summaries": {"k": {"conversation_summary": "old"},'
        ' "k": {"conversation_summary": "new"}, "l": [], "m": 7}, "n": {}, "o": 1}'
    )
    brought = bring(path)
    assert {row for table, row, _ in told(brought) if table in ("objects", "others")} == {
        "k",
        "m",
        "n",
        "o",
    }
    assert brought.is_whole
    assert set(Session.objects.values_list("id", "summary")) == {("k", "new")}


def test_older_contexts_come_over_by_user(bring, tmp_path):
    context = {"room": "kitchen", "level": 7}
    value = {
        "anna": [{"timestamp": NOON, "context": context}, {"timestamp": NOON, "context": "late"}]
    }
    brought = bring(make_json(tmp_path / "store", value))
    assert (brought.format, brought.is_whole) == ("contextual", True)
    assert Session.objects.get().user_id == "anna"
    late = MemoryEntry.objects.get(text="late")
    other = MemoryEntry.objects.exclude(text="late").get()
    assert other.content == {"text": other.text, "timestamp": NOON, "context": context}
    assert json.loads(other.text) == context
    assert (late.memory_type, late.created_at) == ("context", AT_NOON)


def test_jarvis_comes_over_by_user(bring, tmp_path):
    value = {
        "anna": [
            {"timestamp": NOON, "memory": "likes tea"},
            {"timestamp": NOON, "memory": {"text": "called", "who": "bob"}},
            {"timestamp": NOON, "memory": ["a", 12345678901234567890123]},
        ],
        "bob": [{"timestamp": NOON, "memory": "likes coffee"}],
    }
    path = make_json(tmp_path / "store", value)
    brought = bring(path)
    assert (brought.format, brought.is_whole) == ("jarvis", True)
    assert set(Session.objects.values_list("user_id", flat=True)) == {"anna", "bob"}
    assert set(
        MemoryEntry.objects.filter(session__user_id="anna").values_list("text", flat=True)
    ) == {
        "likes tea",
        "called",
        '["a", 12345678901234567890123]',
    }
    assert MemoryEntry.objects.get(text="called").content["memory"]["who"] == "bob"
    value["bob"].append({"timestamp": NOON, "memory": "likes milk"})
    assert bring(make_json(path, value)).new == 1
    assert Session.objects.count() == 2


def test_profiles_come_over_and_never_overwrite(bring, tmp_path):
    update_profiles([ProfileChange("anna", AT_NOON, b'{"drink": "coffee"}')])
    profile = {
        "name": "Anna",
        "preferences": {"drink": "tea", "light": "dim"},
        "taught_commands": {"good night": ["lights off"]},
        "reminders": [{"at": 5, "what": "call"}],
    }
    path = make_json(tmp_path / "store", {"anna": profile, "bob": {"name": "Bob", "reminders": []}})
    brought = bring(path)
    assert (brought.format, brought.is_whole, brought.new) == ("profiles", True, 1)
    [kept] = brought.findings
    assert (kept["row"], kept["found"]) == ("anna: drink", "another value stands here")
    assert kept["done"] == "left as it is: known here"
    anna = UserProfile.objects.get(user_id="anna")
    assert anna.preferences == {"drink": "coffee", "light": "dim"}
    assert anna.profile_data == {key: profile[key] for key in profile.keys() - {"preferences"}}
    assert UserProfile.objects.get(user_id="bob").profile_data == {"name": "Bob", "reminders": []}
    assert bring(path).new == 0


@pytest.mark.parametrize("raw", [b'"just text"', b"[1, 2]", b'{"a": NaN}', b"7"])
def test_an_entry_that_is_no_object_is_kept_as_text(bring, tmp_path, raw):
    path = tmp_path / "store"
    good = json.dumps(entry("tea"))
    path.write_bytes(b'{"sessions": {"k": [%s, %s]}}' % (good.encode(), raw))
    brought = bring(path)
    assert brought.is_whole
    assert [(f["row"], f["done"]) for f in brought.findings] == [
        ("k[1]", "kept as text"),
        ("k[1]", "took the neighbour's time"),
    ]
    texts = set(MemoryEntry.objects.values_list("text", flat=True))
    assert texts == {"tea", raw.decode().strip('"')}


def test_texts_that_cannot_be_kept_are_repaired(bring, tmp_path, told):
    path = tmp_path / "store"
    path.write_bytes(
        b'{"anna": [{"timestamp": 1709290800, "memory": "a\\u0000b \\ud83d\\ude00 \\\\u0000"},'
        b'{"timestamp": 1709290800, "memory": "half \\ud800 pair"},'
        b'{"timestamp": 1709290800, "memory": "not \xff utf-8"}]}'
    )
    brought = bring(path)
    assert brought.is_whole
    assert set(MemoryEntry.objects.values_list("text", flat=True)) == {
        "a\ufffdb \U0001f600 \\u0000",
        "half \ufffd pair",
        "not \ufffd utf-8",
    }
    assert told(brought) == [
        ("entries", "anna[0]", "U+0000 in the value"),
        ("entries", "anna[1]", "half a surrogate pair in the value"),
        ("entries", "anna[2]", "invalid UTF-8 in the value"),
    ]
