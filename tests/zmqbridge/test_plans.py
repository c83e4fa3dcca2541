"""The plans that hot requests are really run with: none reads a whole table of the memories' data.

auto_explain tells the plan of each statement as it runs, also the one that PostgreSQL makes
without the values once a statement has run often enough.
"""

import re

import pytest
from django.db import connection

from memories import ids
from memories.changes import rows
from memories.services.store import store_memories
from tests.factories import create, new_memory, request

ROWS = 4_000
SESSIONS = 400
OWNERS = 40
USER = "plans-user-1"
OWNER = ids.owner_of_user(USER)
TABLES = (
    "sessions",
    "memory_entries",
    "embeddings",
    "revisions",
    "request_keys",
    "embedding_tasks",
    "relationships",
)
WHOLE_TABLE = re.compile(rf"Seq Scan on ({'|'.join(TABLES)})\b")
PAGE_OF_SESSION = re.compile(r"using memories_of_session .*\n\s+Index Cond: .*owner_id")
ENOUGH_FOR_A_GENERIC_PLAN = 12

# Each with its number, for generate_series: believable sizes, many owners, statistics.
FILL = (
    """
    INSERT INTO sessions (id, owner_id, user_id, session_type, metadata, summary, created_at,
        updated_at, is_archived)
    SELECT 'plans-session-' || n, md5((n %% {owners})::text)::uuid, '', 'conversation', '{{}}', '',
        now(), now(), false FROM generate_series(1, {sessions}) n""",
    """
    INSERT INTO memory_entries (id, owner_id, session_id, memory_type, content, content_bytes,
        text, speaker, words, search, tags, priority, source_agent, created_by, version,
        content_version, created_at, updated_at)
    SELECT 'plans-memory-' || n, md5((n %% {owners})::text)::uuid,
        'plans-session-' || 1 + n %% {sessions}, 'conversation', '{{"text": "x"}}', 13,
        'word' || n, '', 1, to_tsvector('english', 'word' || n || ' and thing' || n %% 50),
        ARRAY['tag' || n %% 20], 5, '', '', 1, 1, now() - n * interval '1 minute', now()
    FROM generate_series(1, {rows}) n""",
    """
    INSERT INTO embeddings (owner_id, memory_id, model_id, version, embedding)
    SELECT m.owner_id, m.id, e.id, 1,
        (SELECT array_agg(random()) FROM generate_series(1, e.dimension))::vector
    FROM memory_entries m CROSS JOIN embedding_models e""",
    """
    INSERT INTO revisions (owner_id, memory_id, version, action, memory_type, content, tags,
        priority, updated_at, changed_at, changed_by, operation_id)
    SELECT owner_id, id, 1, 'update', memory_type, content, tags, priority, now(), now(), '', ''
    FROM memory_entries""",
    """
    INSERT INTO request_keys (id, owner_id, answer, created_at)
    SELECT left(md5(id), 22), owner_id, '{{}}', now() FROM memory_entries""",
    """
    INSERT INTO embedding_tasks (owner_id, memory_id, model_id, due_at, attempts, error)
    SELECT m.owner_id, m.id, e.id, now() + interval '1 day', 9, 'failed'
    FROM memory_entries m CROSS JOIN embedding_models e""",
    """
    INSERT INTO relationships (owner_id, source_id, target_id, relationship_type, strength,
        metadata, created_at)
    SELECT owner_id, id, id, 'like', 1, '{{}}', now() FROM memory_entries""",
)


@pytest.fixture
def filled(trial):
    for statement in FILL:
        rows(statement.format(rows=ROWS, sessions=SESSIONS, owners=OWNERS))
    for table in TABLES:
        rows(f"ANALYZE {table}")


@pytest.fixture
def plans(db):
    """The plan of each statement from now on, as text."""
    [(is_superuser,)] = rows("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
    if not is_superuser:
        pytest.skip("Only a superuser may load auto_explain.")
    rows("LOAD 'auto_explain'")
    told = []

    def note(diagnostic):
        told.append(diagnostic.message_primary)

    raw = connection.connection
    raw.add_notice_handler(note)
    rows("SET LOCAL auto_explain.log_level = notice")
    rows("SET LOCAL auto_explain.log_min_duration = 0")
    yield told
    raw.remove_notice_handler(note)


@pytest.fixture
def known(wire, filled):
    """Memories of an owner among many, in a session of his."""
    session = wire.data("create_session", {"user_id": USER})["session_id"]
    new = [new_memory(f"word{n} and thing{n}", session_id=session) for n in range(64)]
    return session, [stored.memory_id for stored in store_memories(new)]


def payloads_of(number, memory_ids):
    """What each action is asked in its turn `number`."""
    named = {"memory_id": memory_ids[number]}
    words = f"word{number} thing"
    of_user = {"scope": "user", "tags": ["tag1"], "limit": 5}
    return [
        ("create", create("new words")),
        ("read", named),
        ("batch_read", {"memory_ids": memory_ids[:20]}),
        ("batch_read", {"filter": {"limit": 5}}),
        ("batch_read", {"filter": of_user}),
        ("search", {"query": words, "search_type": "keyword"}),
        ("search", {"query": words, "search_type": "hybrid"}),
        ("related", named),
        ("history", named),
        ("update", named | {"content": {"text": words}}),
        ("delete", named),
    ]


def plans_of(wire, known, plans):
    """(action, plan) of every statement of some turns."""
    session, memory_ids = known
    seen = []
    for number in range(ENOUGH_FOR_A_GENERIC_PLAN):
        for action, payload in payloads_of(number, memory_ids):
            plans.clear()
            [reply] = wire.answer([request(action, payload, session_id=session)])
            assert reply["status"] == "success", reply
            rows("SELECT 1")  # a statement's plan is told when the next one begins
            seen += [(action, plan) for plan in plans]
    return seen


def test_no_hot_request_reads_a_whole_table(wire, known, plans):
    seen = plans_of(wire, known, plans)
    assert {action for action, plan in seen if "memory_entries" in plan} >= {
        action for action, _ in payloads_of(0, known[1])
    }
    assert [told for told in seen if WHOLE_TABLE.search(told[1])] == []


def test_a_missing_index_would_be_seen(wire, known, plans):
    for name in ("memories_of_session", "memories_of_owner", "memories_newest", "memories_words"):
        rows(f"DROP INDEX {name}")
    faults = [action for action, plan in plans_of(wire, known, plans) if WHOLE_TABLE.search(plan)]
    assert "batch_read" in faults


def test_a_page_of_a_session_is_found_by_its_index_alone(wire, known, plans):
    """By the owner in it too: else the planner may take an index of the owner's for as good, and
    reads all that a large owner has."""
    newest = request("batch_read", {"filter": {"limit": 5}}, session_id=known[0])
    seen = []
    for _ in range(ENOUGH_FOR_A_GENERIC_PLAN):
        plans.clear()
        [reply] = wire.answer([newest])
        assert len(reply["data"]["memories"]) == 5
        rows("SELECT 1")
        seen += [plan for plan in plans if "memory_entries" in plan]
    assert seen and all(PAGE_OF_SESSION.search(plan) for plan in seen)
