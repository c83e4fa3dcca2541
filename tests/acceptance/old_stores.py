"""Files of all seven old formats, each with every dirty row that it can hold.

`dirty_stores` makes them; DIRT says what the report tells of each; `lengthened` is what their
assistants add later.
"""

import json
import sqlite3
from contextlib import ExitStack, closing, contextmanager

from tests.memories.importers.stores import (
    EPISODIC,
    MANAGER,
    SESSION,
    UNIFIED,
    add,
    make,
    session_row,
    turn,
    unified,
)

NOON = 1709290800.5
NUL, LATIN = "a\0b", b"caf\xe9"


def dirty_stores(folder):
    """The paths, by the name of the format."""
    return {name: fill(folder / name) for name, fill in _FILLED.items()}


@contextmanager
def lengthened(stores):
    """One memory more in each, and in the profiles one key more. Of the SQLite stores it stands in
    the WAL, and their assistants have them open."""
    later = {
        "session": {"interactions": [turn(50, content="later")]},
        "unified": {"memories": [unified("u", content="later")]},
        "episodic": {"interactions": [_said(1, "later")]},
        "manager": {"memory_entries": [_entry(content="later")]},
    }
    last = LATIN + b'"}'
    for name, key in (("contextual", "content"), ("jarvis", "memory")):
        entry = json.dumps({"timestamp": NOON + 99, "type": "turn", key: "later"}).encode()
        _replace(stores[name], last, last + b", " + entry)
    _replace(stores["profiles"], b'"name": "Anna"', b'"later": true, "name": "Anna"')
    with ExitStack() as opened:
        for name, tables in later.items():
            connection = opened.enter_context(closing(sqlite3.connect(stores[name])))
            connection.execute("PRAGMA journal_mode = WAL")
            add(connection, **tables)
        yield


def _session(path):
    make(
        path,
        SESSION,
        sessions=[
            session_row("s-1"),
            session_row("s-2", metadata="{bad"),
            session_row("s-3", created_at="never"),
            session_row("s-4", last_active="never"),
            session_row(None),
            session_row(""),
        ],
        interactions=[
            turn(1, "s-1"),
            turn(2, "s-1", metadata="{bad"),
            turn(3, "gone"),
            turn(4, "s-1", content=NUL),
            turn(5, "s-1", timestamp="never"),
            turn(6, "s-1", timestamp=None),
            turn(7, None, content="of no session"),
            turn(8, "s-1", content="latin"),
        ],
    )
    return _with_latin(path, "interactions", "content")


def _unified(path):
    tie = {"source_memory_id": "a", "target_memory_id": "gone", "relationship_type": "about"}
    make(
        path,
        UNIFIED,
        memories=[
            unified("a"),
            unified("b", metadata="{bad"),
            unified("c", tags="tea, milk"),
            unified("d", content=NUL),
            unified("e", created_at="never"),
            unified("f", expires_at=1709283601, content="has expired"),
            unified("g", parent_id="gone"),
            unified("h", relationships='{"about": ["gone"]}'),
            unified("i", relationships="{bad"),
            unified("j", importance=7),
            unified("k", content="latin"),
            unified("l", expires_at="never"),
        ],
        memory_relationships=[
            tie,
            tie | {"target_memory_id": "b", "created_at": 1709283600, "updated_at": 1709283601},
        ],
        context_groups=[
            {"id": 1, "name": "home", "description": "at home"},
            {"id": 2, "name": "empty"},
        ],
        memory_group_mappings=[
            {"memory_id": "a", "group_id": 1},
            {"memory_id": "gone", "group_id": 1},
        ],
    )
    return _with_latin(path, "memories", "content")


def _episodic(path):
    tie = {"source_episode_id": 1, "target_episode_id": 99, "relationship_type": "after"}
    make(
        path,
        EPISODIC,
        episodes=[
            _episode(1),
            _episode(2, context="{bad"),
            _episode(3, start_time="never"),
            _episode(4, end_time="never"),
            _episode(5, summary=NUL),
        ],
        interactions=[
            _said(1, "hello"),
            _said(1, "bad", metadata="{bad"),
            _said(77, "of a missing episode"),
            _said(1, NUL),
            _said(2, "untimely", timestamp="never"),
            _said(2, "latin"),
        ],
        episode_tags=[{"episode_id": 1, "tag": "tea"}, {"episode_id": 99, "tag": "lost"}],
        episode_relationships=[tie, tie | {"target_episode_id": 2}],
    )
    return _with_latin(path, "interactions", "content")


def _manager(path):
    tie = {"source_memory_id": 1, "target_memory_id": 99, "relationship_type": "about"}
    tie["created_at"] = "2024-03-01 09:00:00"
    make(
        path,
        MANAGER,
        memory_entries=[
            _entry(),
            _entry(metadata="{bad"),
            _entry(content=NUL),
            _entry(created_at="never"),
            _entry(expires_at="2024-03-01 09:00:01", content="has expired"),
            _entry(expires_at="never"),
            _entry(content="latin"),
        ],
        memory_relationships=[tie, tie | {"target_memory_id": 2}],
        memory_categories=[{"category_id": 1, "name": "tea"}, {"category_id": 2, "name": "none"}],
        memory_category_assignments=[
            {"memory_id": 1, "category_id": 1, "relevance_score": 0.5},
            {"memory_id": 99, "category_id": 1},
        ],
    )
    return _with_latin(path, "memory_entries", "content")


def _contextual(path):
    def entry(content, **fields):
        return {"timestamp": NOON, "type": "turn", "content": content} | fields

    value = {
        "sessions": {
            "anna": [entry("tea"), entry(NUL), entry("x", timestamp="never"), "no object"],
            "": [entry("of no session")],
            "text": "no list",
        },
        "summaries": {
            "anna": {"conversation_summary": "drinks", "last_updated": NOON + 90},
            "porch": {"conversation_summary": "birds", "last_updated": "never"},
            "list": [1],
        },
        "odd": {"timestamp": NOON},
    }
    return _json_with_latin(path, value, entry("LATIN"), value["sessions"]["anna"])


def _jarvis(path):
    value = {
        "bert": [
            {"timestamp": NOON, "memory": "likes tea"},
            {"timestamp": NOON, "memory": NUL},
            {"timestamp": "", "memory": "untimely"},
            {"memory": "of no time"},
            "no object",
        ],
        "carl": {"timestamp": NOON, "memory": "no list"},
        "dora": None,
    }
    return _json_with_latin(path, value, {"timestamp": NOON, "memory": "LATIN"}, value["bert"])


def _profiles(path):
    value = {
        "anna": {"name": "Anna", "preferences": {"a": NUL}, "reminders": ["LATIN"]},
        "bob": {"name": "Bob", "preferences": "no object"},
        "list": [1],
        "text": "no profile",
    }
    return _json_with_latin(path, value)


def _episode(number, **values):
    return {
        "episode_id": number,
        "user_id": "anna",
        "start_time": f"2024-03-0{number}T09:00:00",
        "end_time": f"2024-03-0{number}T10:00:00",
        "context": "{}",
        "summary": f"episode {number}",
        "importance_score": 0.5,
    } | values


def _said(episode, text, **values):
    return {"episode_id": episode, "timestamp": "2024-03-01T09:05:00", "content": text} | values


def _entry(**values):
    return {"content": "an entry", "created_at": "2024-03-01 09:00:00"} | values


def _with_latin(path, table, column):
    """Where "latin" stands, text that is no UTF-8."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(
            f"UPDATE {table} SET {column} = CAST(? AS TEXT) WHERE {column} = 'latin'", [LATIN]
        )
    return path


def _json_with_latin(path, value, entry=None, entries=()):
    if entry is not None:
        entries.append(entry)
    path.write_bytes(json.dumps(value).encode().replace(b"LATIN", LATIN))
    return path


def _replace(path, old, new):
    """With the bytes that are no UTF-8 as they are."""
    path.write_bytes(path.read_bytes().replace(old, new, 1))


_FILLED = {
    "session": _session,
    "unified": _unified,
    "episodic": _episodic,
    "manager": _manager,
    "contextual": _contextual,
    "jarvis": _jarvis,
    "profiles": _profiles,
}

# What the report tells of each: a line of table, row and finding.
DIRT = {
    "session": """
sessions s-2 | metadata is no JSON object
sessions s-4 | last_active is no time
sessions s-3 | its time is missing or cannot be read
sessions 5 | the session has no id
sessions 6 | the session has no id
interactions 3 | its session does not exist
interactions 2 | metadata is no JSON object
interactions 4 | U+0000 in content
interactions 5 | its time is missing or cannot be read
interactions 6 | its time is missing or cannot be read
interactions 8 | invalid UTF-8 in content
""",
    "unified": """
memories b | metadata is no JSON object
memories c | tags is no JSON list of texts
memories d | U+0000 in content
memories e | its time is missing or cannot be read
memories i | relationships is no JSON object of lists
memories j | the importance is not from 0 to 1
memories k | invalid UTF-8 in content
memories l | expires_at is no time
memory_relationships 1 | its time is missing or cannot be read
memory_relationships 1 | an end of the relationship does not exist
memories.parent_id g | an end of the relationship does not exist
memories.relationships h | an end of the relationship does not exist
memory_group_mappings 2 | its memory or group does not exist
context_groups 2 | the group has no memory
context_groups  | the column description, in 1 rows
memory_relationships  | the column updated_at, in 1 rows
""",
    "episodic": """
episodes 2 | context is no JSON object
episodes 4 | end_time is no time
episodes 3 | its time is missing or cannot be read
episodes 5 | U+0000 in summary
interactions 3 | its episode does not exist
interactions 2 | metadata is no JSON object
interactions 4 | U+0000 in content
interactions 6 | invalid UTF-8 in content
interactions 5 | its time is missing or cannot be read
episode_relationships 1 | an end of the relationship does not exist
episode_tags 2 | its episode does not exist
""",
    "manager": """
memory_entries 2 | metadata is no JSON object
memory_entries 3 | U+0000 in content
memory_entries 4 | its time is missing or cannot be read
memory_entries 6 | expires_at is no time
memory_entries 7 | invalid UTF-8 in content
memory_relationships 1 | an end of the relationship does not exist
memory_category_assignments 2 | its memory or category does not exist
memory_categories 2 | the category has no memory
memory_category_assignments  | the column relevance_score, in 1 rows
""",
    "contextual": """
sessions porch | last_updated is no time
sessions porch | its time is missing or cannot be read
sessions  | the session has no id
entries anna[1] | U+0000 in the value
entries anna[3] | the value is no JSON object that can be kept
entries anna[4] | invalid UTF-8 in the value
entries anna[2] | its time is missing or cannot be read
entries anna[3] | its time is missing or cannot be read
objects odd | what stands there is not what this store keeps
others text | what stands there is not what this store keeps
entries list | what stands there is not what this store keeps
""",
    "jarvis": """
entries bert[1] | U+0000 in the value
entries bert[4] | the value is no JSON object that can be kept
entries bert[5] | invalid UTF-8 in the value
entries bert[2] | its time is missing or cannot be read
entries bert[3] | its time is missing or cannot be read
entries bert[4] | its time is missing or cannot be read
objects carl | what stands there is no list of memories
others dora | what stands there is no list of memories
""",
    "profiles": """
entries list | what stands there is no profile
others text | what stands there is no profile
objects anna | invalid UTF-8 in the value
objects anna | U+0000 in the value
""",
}
