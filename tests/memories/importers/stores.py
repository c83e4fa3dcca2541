"""Old stores as the assistants left them, with the schema that they had."""

import json
import sqlite3
from contextlib import closing

SESSION = """
CREATE TABLE sessions (session_id TEXT PRIMARY KEY, user_id TEXT, created_at TEXT,
    last_active TEXT, metadata TEXT);
CREATE TABLE interactions (id INTEGER PRIMARY KEY AUTOINCREMENT,
    session_id TEXT REFERENCES sessions, timestamp TEXT, role TEXT, content TEXT, metadata TEXT);"""

UNIFIED = """
CREATE TABLE memories (memory_id TEXT PRIMARY KEY, content TEXT, memory_type TEXT,
    memory_tier TEXT, importance REAL, access_count INTEGER, last_accessed_at REAL,
    created_at REAL, expires_at REAL, metadata TEXT, tags TEXT, relationships TEXT,
    parent_id TEXT);
CREATE TABLE memory_relationships (id INTEGER PRIMARY KEY, source_memory_id TEXT,
    target_memory_id TEXT, relationship_type TEXT, strength REAL, created_at REAL,
    updated_at REAL);
CREATE TABLE context_groups (id INTEGER PRIMARY KEY, name TEXT, description TEXT,
    created_at REAL, updated_at REAL);
CREATE TABLE memory_group_mappings (id INTEGER PRIMARY KEY, memory_id TEXT, group_id INTEGER,
    created_at REAL);"""

EPISODIC = """
CREATE TABLE episodes (episode_id INTEGER PRIMARY KEY, user_id TEXT, profile TEXT,
    start_time TEXT, end_time TEXT, context TEXT, summary TEXT, importance_score REAL,
    status TEXT);
CREATE TABLE interactions (interaction_id INTEGER PRIMARY KEY, episode_id INTEGER,
    timestamp TEXT, speaker TEXT, content TEXT, intent TEXT, sentiment REAL, metadata TEXT);
CREATE TABLE episode_tags (tag_id INTEGER PRIMARY KEY, episode_id INTEGER, tag TEXT,
    confidence REAL);
CREATE TABLE episode_relationships (relationship_id INTEGER PRIMARY KEY,
    source_episode_id INTEGER, target_episode_id INTEGER, relationship_type TEXT,
    strength REAL, metadata TEXT);
CREATE TABLE context_groups (group_id INTEGER PRIMARY KEY, name TEXT);
CREATE TABLE episode_context_groups (episode_id INTEGER, group_id INTEGER,
    relevance_score REAL);"""

MANAGER = """
CREATE TABLE memory_entries (memory_id INTEGER PRIMARY KEY, content TEXT, memory_type TEXT,
    importance_score REAL, access_count INTEGER, last_accessed TIMESTAMP,
    created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP, expires_at TIMESTAMP, metadata TEXT);
CREATE TABLE memory_relationships (relationship_id INTEGER PRIMARY KEY,
    source_memory_id INTEGER, target_memory_id INTEGER, relationship_type TEXT, strength REAL,
    created_at TIMESTAMP);
CREATE TABLE memory_categories (category_id INTEGER PRIMARY KEY, name TEXT UNIQUE);
CREATE TABLE memory_category_assignments (memory_id INTEGER, category_id INTEGER,
    relevance_score REAL);"""


def make(path, schema, **tables):
    """A store with these rows, each a dict of some of its table's columns."""
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(schema)
        add(connection, **tables)
    return path


def extend(path, **tables):
    with closing(sqlite3.connect(path)) as connection:
        add(connection, **tables)
    return path


def add(connection, **tables):
    for table, rows in tables.items():
        for row in rows:
            connection.execute(
                f"INSERT INTO {table} ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})",
                list(row.values()),
            )
    connection.commit()


def execute(path, sql, *parameters):
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(sql, parameters)
        connection.commit()


def make_json(path, value):
    path.write_text(json.dumps(value))
    return path


def session_row(session_id="s-1", **values):
    return {
        "session_id": session_id,
        "user_id": "anna",
        "created_at": "2024-03-01T09:00:00",
        "last_active": "2024-03-01T09:30:00.250000",
        "metadata": '{"device": "kitchen"}',
    } | values


def turn(number, session_id="s-1", **values):
    return {
        "session_id": session_id,
        "timestamp": f"2024-03-01T09:{number // 60 % 60:02}:{number % 60:02}.000001",
        "role": "user" if number % 2 else "assistant",
        "content": f"turn {number}",
        "metadata": "{}",
    } | values


def talk(path, turns=3, **tables):
    """A session memory of one session."""
    rows = [turn(number) for number in range(1, turns + 1)]
    return make(path, SESSION, sessions=[session_row()], interactions=rows, **tables)


def unified(memory_id="m-1", **values):
    return {
        "memory_id": memory_id,
        "content": f"content of {memory_id}",
        "memory_type": "entity",
        "memory_tier": "long",
        "importance": 0.8,
        "access_count": 3,
        "created_at": 1709283600.5,
        "metadata": '{"origin": "porch"}',
        "tags": '["tea"]',
    } | values
