"""Files of conversations: what is refused, what is sent, and what is told when it comes back."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.zmqbridge.scripted_router import ScriptedRouter, Shelf
from zmqbridge import replay
from zmqbridge.client import AsyncClient

HOUSEHOLD = Path(__file__).parents[2] / "docs" / "examples" / "household.jsonl"
TURN = {
    "session": "s",
    "user": "zoë",
    "role": "user",
    "text": "Hello?",
    "time": "2026-08-01T12:00:00Z",
}


def written(path, *turns):
    lines = [turn if isinstance(turn, str) else json.dumps({**TURN, **turn}) for turn in turns]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


@pytest.fixture
def path(tmp_path):
    return tmp_path / "turns.jsonl"


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("{", "malformed|truncated"),
        ("[]", "Expected `object`"),
        ({"role": "cat"}, r"Invalid enum value 'cat'.*role"),
        ({"text": 7}, r"Expected `str`, got `int`.*text"),
        ({"text": ""}, r"length >= 1.*text"),
        ({"text": "a\0b"}, r"U\+0000.*text"),
        ({"session": "s" * 65}, r"length <= 64.*session"),
        ({"mood": "bad"}, "unknown field `mood`"),
        ({"time": "noon"}, "time is 'noon', and no ISO 8601"),
        ({"time": "2999-01-01T00:00:00Z"}, "in the future"),
        ({"time": "2026-08-01T11:59:59Z"}, "before that of line 1"),
        ({"user": "anna"}, "that of zoë since line 1"),
        ('{"session": "s"}', "missing required field `user`"),
    ],
)
def test_a_bad_line_is_named_with_what_is_wrong(path, line, complaint):
    written(path, {}, "", line)
    with pytest.raises(replay.ReplayError, match=rf"turns\.jsonl, line 3: .*({complaint})"):
        replay.read_turns(path)


def test_a_file_that_is_none_is_refused(path):
    with pytest.raises(replay.ReplayError, match="cannot be read: No such file"):
        replay.read_turns(path)
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(replay.ReplayError, match="not UTF-8"):
        replay.read_turns(path)
    path.write_text("\n\n")
    with pytest.raises(replay.ReplayError, match="holds no turns"):
        replay.read_turns(path)


def test_turns_of_one_time_keep_their_order(path):
    turns = replay.read_turns(written(path, {"text": "a"}, {"text": "b"}, {"text": "a"}))
    assert [turn.time.microsecond for turn in turns] == [0, 1, 2]
    assert len({turn.request_id for turn in turns}) == 3


def test_a_longer_copy_of_a_file_asks_for_the_same_in_the_same_words(path):
    short = replay.read_turns(written(path, {}, {"text": "b"}))
    longer = replay.read_turns(written(path, {}, {"text": "b"}, {"text": "c"}))
    assert [turn.request_id for turn in longer[:2]] == [turn.request_id for turn in short]


def test_an_offset_is_honoured_and_none_is_utc(path):
    path = written(path, {"time": "2026-08-01T14:00:00+02:00"}, {"time": "2026-08-01T12:00:01"})
    first, second = replay.read_turns(path)
    assert first.time == datetime(2026, 8, 1, 12, tzinfo=UTC)
    assert second.time - first.time == timedelta(seconds=1)


def run(shelf, turns, work):
    async def connected(endpoint):
        async with AsyncClient(endpoint) as client:
            return await work(client, turns)

    with ScriptedRouter(shelf) as router:
        return asyncio.run(connected(router.endpoint))


async def store(client, turns):
    await replay.store_turns(client, turns, lambda: None)


def test_a_file_that_is_replayed_twice_is_stored_once(path):
    shelf, turns = Shelf(), replay.read_turns(HOUSEHOLD)
    run(shelf, turns, store)
    run(shelf, turns, store)
    assert len(shelf.memories) == len(turns)
    assert shelf.actions.index("create") == len({turn.session for turn in turns})
    assert run(shelf, turns, replay.compare) == []


def test_every_difference_is_found(path):
    shelf = Shelf()
    turns = replay.read_turns(written(path, {"text": "a"}, {"text": "b"}, {"text": "c"}))
    run(shelf, turns, store)
    kept = {memory["content"]["text"]: memory for memory in shelf.memories}
    kept["a"]["content"] = {"text": "A"}
    kept["b"]["created_at"] = "2026-08-01T12:00:00.000002Z"
    shelf.memories.remove(kept["c"])
    told = run(shelf, turns, replay.compare)
    assert [(each.expected[-1], each.stored and each.stored[-1]) for each in told] == [
        ("a", "A"),
        ("b", "b"),
        ("c", None),
    ]


def test_a_session_longer_than_a_page_is_read_back_whole(path):
    turns = replay.read_turns(written(path, *({"text": f"{n}"} for n in range(1203))))
    shelf = Shelf()
    run(shelf, turns, store)
    assert run(shelf, turns, replay.compare) == []
    assert shelf.actions.count("batch_read") == 3


def test_a_refused_turn_is_told_by_its_line(path):
    def refuse_the_second(router, incoming):
        if incoming.payload.get("content", {}).get("text") == "b":
            router.refuse(incoming, "validation_error", field="payload.content")
        else:
            router.succeed(
                incoming, {"session_id": "s", "memory_id": "m", "created_at": TURN["time"]}
            )

    turns = replay.read_turns(written(path, {"text": "a"}, "", {"text": "b"}))
    with pytest.raises(replay.ReplayError, match="Line 3 cannot be stored"):
        run(refuse_the_second, turns, store)


def test_the_sample_is_what_its_readers_are_promised():
    turns = replay.read_turns(HOUSEHOLD)
    assert 300 <= len(turns) <= 400
    assert len({turn.session for turn in turns}) > 20
    assert {turn.user for turn in turns} == {"katrin", "zoë", "émile"}
    assert {turn.role for turn in turns} == {"user", "assistant"}
    assert min(turn.time for turn in turns) >= datetime(2026, 8, 1, tzinfo=UTC)
    assert max(turn.time for turn in turns) < datetime(2026, 11, 1, tzinfo=UTC)
    assert len(replay.pick_questions(turns, 5)) == 5
