"""What is found in memory against what the database finds, whatever changes in between."""

import random
import time
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from memories.models import EmbeddingTask
from memories.services.embedding.tasks import MAX_ATTEMPTS
from memories.services.forget import Deletion, forget_memories
from memories.services.restore import restore_memories
from memories.services.revise import Revision, revise_memories
from memories.services.search import owner_indexes
from memories.services.search.query import SearchType
from memories.services.sessions import NewSession, open_sessions
from memories.services.store import store_memories
from tests.embedders import TrialEmbedder, embed_all, serve_by
from tests.factories import database_now, new_memory, set_expiry, store, wait_until
from tests.memories.services.asking import ask, filter_of, found, ids

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 1, 31, tzinfo=UTC)
WORDS = ["apple", "pear", "plum", "cherry", "quince", "melon", "grape", "fig"]
FILTERS = (
    {},
    {"session_id": "s2"},
    {"memory_types": ("fact",)},
    {"tags": ("x",)},
    {"start": NOW + timedelta(days=2)},
)


@pytest.fixture
def sessions(trial):
    open_sessions(
        [NewSession(b"", NOW, session_id=name, user_id="ann") for name in ("s1", "s2", "s3")]
    )
    return ("s1", "s2", "s3")


class Life:
    """Changes by chance, as an assistant's memories see them."""

    def __init__(self, seed, sessions):
        self.chance = random.Random(seed)
        self.sessions = sessions
        self.ids = []
        self.gone = []

    def text(self):
        said = " ".join(self.chance.choices(WORDS, k=self.chance.randint(1, 6)))
        return self.chance.choice(["Ann: ", "Bob: ", ""]) + said + self.chance.choice(["", "?"])

    def create(self):
        new = [
            new_memory(
                self.text(),
                session_id=self.chance.choice(self.sessions),
                created_at=NOW + timedelta(days=self.chance.randint(0, 4)),
                memory_type=self.chance.choice(["fact", "conversation"]),
                tags=self.chance.choice([(), ("x",)]),
            )
            for _ in range(self.chance.randint(9, 12))
        ]
        self.ids += [stored.memory_id for stored in store_memories(new)]

    def rewrite(self):
        text = self.text()
        self._revise(content_json=f'{{"text":"{text}"}}'.encode())

    def reorder(self):
        self._revise(priority=self.chance.choice([1, 10]))

    def retag(self):
        self._revise(tags=self.chance.choice([(), ("x",)]))

    def delete(self):
        if len(self.ids) > 5:
            self._delete_one()

    def _delete_one(self):
        self.gone.append(self.ids.pop(self.chance.randrange(len(self.ids))))
        forget_memories([Deletion(self.gone[-1], NOW)])

    def restore(self):
        if self.gone:
            self.ids.append(self.gone.pop())
            restore_memories([self.ids[-1]], NOW)

    def expire(self):
        an_id = self.chance.choice(self.ids)
        set_expiry(an_id, database_now() - timedelta(seconds=1))

    def _revise(self, **fields):
        revise_memories([Revision(self.chance.choice(self.ids), NOW, **fields)])


@pytest.mark.parametrize("seed", range(4))
def test_what_is_found_is_what_the_database_finds_by_ranking_all(sessions, settings, seed):
    life = Life(seed, sessions)
    life.create()
    steps = [life.create, life.rewrite, life.reorder, life.retag, life.delete, life.restore]
    for number in range(12):
        life.chance.choice(steps)() if number < 11 else life.expire()
        embed_all()
        query = f"what did Ann say of {life.text()}"
        filter_ = {"session_id": "s1"} | life.chance.choice(FILTERS)
        for way in (SearchType.HYBRID, SearchType.SEMANTIC):
            settings.SEARCH_MEGABYTES = 0
            expected = ask(query, way, **filter_)
            settings.SEARCH_MEGABYTES = 64
            result = ask(query, way, limit=5, **filter_)
            assert ids(result) == ids(expected)[:5], (number, way, filter_)
            assert result.total_count == expected.total_count
            scores = [memory.similarity_score for memory in expected.results[:5]]
            now = [memory.similarity_score for memory in result.results]
            assert now == pytest.approx(scores, abs=2e-6)


class TestWhatLacksAVector:
    """It is not in the index; words find it all the same, among any number of others."""

    @pytest.fixture
    def old(self, db, embedders):
        """Stored without a model; five others have vectors."""
        old = [store(f"zebra {number}") for number in range(3)]
        serve_by(TrialEmbedder())
        for number in range(5):
            store(f"apple {number}")
        embed_all()
        return old

    def test_what_was_stored_before_the_model_is_found(self, old):
        assert set(found("zebra", limit=4)) >= set(old)
        assert found("zebra 1", limit=1) == [old[1]]

    def test_so_it_is_beside_a_model_that_was_activated_unfilled(self, trial):
        ids = [store(f"zebra {number}") for number in range(3)]
        embed_all()
        serve_by(TrialEmbedder(name="new"), "e5")
        EmbeddingTask.objects.all().delete()
        for number in range(5):
            store(f"apple {number}")
        embed_all()
        assert set(found("zebra", limit=4)) >= set(ids)

    def test_so_is_what_still_waits_or_was_set_aside(self, trial, settings):
        settings.EMBED_WAIT_SECONDS = 0
        for number in range(5):
            store(f"apple {number}")
        embed_all()
        an_id = store("zebra")
        for attempts in (0, MAX_ATTEMPTS):
            EmbeddingTask.objects.update(attempts=attempts)
            result = ask("zebra", limit=1)
            assert ids(result) == [an_id]
            assert result.search_metadata.pending == 1

    def test_one_that_was_set_aside_keeps_no_other_search_from_memory(self, trial, settings):
        settings.EMBED_WAIT_SECONDS = 0
        an_id = store("apple")
        embed_all()
        store("zebra")
        EmbeddingTask.objects.update(attempts=MAX_ATTEMPTS)
        with CaptureQueriesContext(connection) as run:
            result = ask("apple", limit=1)
        assert (ids(result), result.search_metadata.pending) == ([an_id], 1)
        assert result.total_count == 1
        assert not any("hits AS" in query["sql"] for query in run.captured_queries)


def test_one_statement_tells_that_nothing_has_changed(trial):
    store("alpha")
    found("alpha")  # reads all that the owner has
    with CaptureQueriesContext(connection) as run:
        found("alpha")
    reading = [query["sql"] for query in run.captured_queries if "embeddings" in query["sql"]]
    assert len(reading) == 1 and "sum(id)" in reading[0]


@pytest.fixture
def two_owners(trial, settings):
    """Ann's index fits, or Bob's, but not both."""
    settings.SEARCH_MEGABYTES = 1
    for user in ("ann", "bob"):
        store_memories([new_memory(f"{user} alpha {n}", session_id=user) for n in range(600)])
    embed_all()


def test_who_searches_does_not_drive_out_who_searched_a_moment_ago(two_owners, monkeypatch):
    for user in ("ann", "bob", "ann", "bob"):
        assert len(found(f"{user} alpha", session_id=user, limit=50)) == 50
    [(owner_id, _)] = owner_indexes.indexes._kept
    assert owner_id == filter_of(session_id="ann").owner_id
    monkeypatch.setattr(owner_indexes, "_IDLE_SECONDS", 0)
    assert len(found("bob alpha", session_id="bob", limit=50)) == 50
    [(owner_id, _)] = owner_indexes.indexes._kept
    assert owner_id == filter_of(session_id="bob").owner_id


def test_what_has_grown_beyond_the_bound_is_forgotten_and_found_all_the_same(two_owners):
    assert len(found("ann alpha", session_id="ann", limit=50)) == 50
    store_memories([new_memory(f"ann beta {n}", session_id="ann") for n in range(900)])
    embed_all()
    for _ in range(2):
        assert len(found("beta", session_id="ann", limit=50)) == 50
        assert owner_indexes.indexes.size_bytes() <= 1 << 20


def test_owners_of_nothing_take_their_room_too(trial, monkeypatch):
    monkeypatch.setattr(owner_indexes, "_most_bytes", lambda: 50_000)
    open_sessions([NewSession(b"", NOW, session_id=f"new-{n}") for n in range(99)])
    for number in range(99):
        assert found("alpha", session_id=f"new-{number}") == []
    assert 0 < len(owner_indexes.indexes._kept) < 99
    assert owner_indexes.indexes.size_bytes() <= 50_000
    monkeypatch.setattr(owner_indexes, "_most_bytes", lambda: 1)
    assert owner_indexes.indexes.get_or_open((uuid4(), 1), 64).size_bytes > 1
    assert owner_indexes.indexes.size_bytes() == 0


def test_what_is_larger_than_the_bound_drives_nobody_out(two_owners, monkeypatch):
    store("gamma", session_id="carl")
    embed_all()
    assert len(found("gamma", session_id="carl")) == 1
    monkeypatch.setattr(owner_indexes, "expected_bytes", lambda *_: 0)
    store_memories([new_memory(f"ann beta {n}", session_id="ann") for n in range(900)])
    embed_all()
    assert len(found("beta", session_id="ann", limit=50)) == 50
    [(owner_id, _)] = owner_indexes.indexes._kept
    assert owner_id == filter_of(session_id="carl").owner_id


def test_an_index_of_which_much_has_gone_is_read_anew(trial):
    new = store_memories([new_memory(f"alpha {number}") for number in range(100)])
    assert len(found("alpha")) == 100
    forget_memories([Deletion(stored.memory_id, NOW) for stored in new[:60]])
    assert len(found("alpha")) == 40
    assert owner_indexes.indexes.size_bytes() == 0
    assert len(found("alpha")) == 40


def test_a_deadline_waits_for_no_index_and_the_next_search_finds_it(
    transactional_db, trial, monkeypatch
):
    monkeypatch.setattr(owner_indexes, "_QUICKLY_READ", 0)
    an_id = store("alpha")
    embed_all()
    later = time.monotonic() + 60
    with CaptureQueriesContext(connection) as run:
        assert found("alpha", deadline=later) == [an_id]
    assert not any("tsvector_to_array" in query["sql"] for query in run.captured_queries)
    wait_until(lambda: owner_indexes.indexes.size_bytes())
    with CaptureQueriesContext(connection) as run:
        assert found("alpha", deadline=later) == [an_id]
    assert not any("hits AS" in query["sql"] for query in run.captured_queries[-4:])


def test_nor_for_much_that_is_new_in_one(transactional_db, trial, monkeypatch):
    ids = {store("alpha 1")}
    embed_all()
    assert set(found("alpha")) == ids
    monkeypatch.setattr(owner_indexes, "_QUICKLY_READ", 0)
    ids.add(store("alpha 2"))
    embed_all()
    [index] = owner_indexes.indexes._kept.values()
    with CaptureQueriesContext(connection) as run:
        assert set(found("alpha", deadline=time.monotonic() + 60)) == ids
    assert not any("tsvector_to_array" in query["sql"] for query in run.captured_queries)
    wait_until(lambda: len(index) == 2)


def test_nor_for_somebody_else_who_uses_it(transactional_db, trial):
    ids = {store("alpha 1")}
    embed_all()
    found("alpha")
    ids.add(store("alpha 2"))
    embed_all()
    [index] = owner_indexes.indexes._kept.values()
    with index.lock:
        assert set(found("alpha", deadline=time.monotonic() + 60)) == ids
    wait_until(lambda: len(index) == 2)
