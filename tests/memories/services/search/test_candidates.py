"""Owners of many memories: what the arms and the index choose, against what ranking all finds."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from memories.changes import rows
from memories.embedders.base import unit_rows
from memories.models import EmbeddingModel, MemoryEntry
from memories.services.embedding.given_vectors import GivenVector
from memories.services.embedding.vector_index import index_name
from memories.services.filters import Filter, Scope
from memories.services.forget import Deletion, forget_memories
from memories.services.search import candidates
from memories.services.search.find import search_memories
from memories.services.search.query import Query, SearchType
from memories.services.sessions import NewSession, open_sessions, owners_of_sessions
from memories.services.store import store_memories
from tests.embedders import TrialEmbedder, serve_by
from tests.factories import new_memory

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 1, 31, tzinfo=UTC)
DIMENSION = 24
COUNT = 1200
OTHERS = 600
SHARES = {"1 %": 100, "5 %": 20, "20 %": 5, "100 %": 1}
TARGET = 0.98


def cloud(count, seed):
    """Unit vectors as texts have them: in clusters, and all somewhat alike."""
    chance = np.random.default_rng(seed)
    centres = chance.normal(size=(40, DIMENSION))
    points = centres[chance.integers(40, size=count)] + chance.normal(size=(count, DIMENSION))
    return unit_rows(points + 0.8)


def crowd(session_id, count, seed):
    """Memories with vectors; one in n bears the tag `every n`."""
    model_id = EmbeddingModel.objects.get(state="active").id
    new = [
        new_memory(
            f"fruit word{number % 50} thing{number % 7}",
            session_id=f"{session_id}-{number % 7}",
            created_at=NOW + timedelta(seconds=number),
            tags=[f"every {n}" for n in SHARES.values() if number % n == 0],
            vector=GivenVector(model_id, str(vector.tolist())),
        )
        for number, vector in enumerate(cloud(count, seed))
    ]
    return [stored.memory_id for stored in store_memories(new)]


@pytest.fixture(autouse=True)
def _in_the_database(settings):
    settings.SEARCH_MEGABYTES = 0


@pytest.fixture
def many(embedders, db):
    """An owner of many, and others between whose rows theirs lie."""
    serve_by(TrialEmbedder(DIMENSION))
    for user in ("ann", "bob", "eve"):
        names = [f"{user}-{number}" for number in range(7)]
        open_sessions([NewSession(b"", NOW, session_id=name, user_id=user) for name in names])
    crowd("bob", OTHERS // 2, 2)
    own = crowd("ann", COUNT, 1)
    crowd("eve", OTHERS // 2, 3)
    rows("SET CONSTRAINTS ALL IMMEDIATE")  # what is pending keeps an index from being built
    rows("ANALYZE memory_entries")
    rows("ANALYZE embeddings")
    return own


def filter_of(scope=Scope.USER, session_id="ann-0", **conditions):
    return Filter(scope, session_id, owners_of_sessions([session_id])[session_id], **conditions)


def ask(filter_, vector, way=SearchType.SEMANTIC, text="fruit", limit=10):
    query = Query(text, filter_, way, limit, vector=tuple(map(float, vector)))
    [result] = search_memories([query])
    return [memory.memory_id for memory in result.results]


def recall(filters, way=SearchType.SEMANTIC, text="fruit"):
    """The share of the true first 10 that is found, by filter."""
    queries = cloud(8, 9)

    def answers():
        return [[set(ask(each, q, way, text)) for q in queries] for each in filters.values()]

    found = answers()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(candidates, "ALL_UP_TO", 10**9)
        true = answers()
    return {
        name: np.mean([len(a & b) / len(b) for a, b in zip(*pair, strict=True)])
        for name, *pair in zip(filters, found, true, strict=True)
    }


def filters():
    of_shares = {name: filter_of(tags=(f"every {n}",)) for name, n in SHARES.items()}
    return of_shares | {
        "plain": filter_of(),
        "session": filter_of(Scope.SESSION),
        "time": filter_of(start=NOW + timedelta(seconds=COUNT - 60)),
    }


@pytest.fixture
def by_arms(many, monkeypatch):
    monkeypatch.setattr(candidates, "ALL_UP_TO", 0)
    return many


@pytest.fixture
def by_index(by_arms, monkeypatch):
    monkeypatch.setattr(candidates, "EXACT_UP_TO", 0)
    model = EmbeddingModel.objects.get(state="active")
    rows(
        f"""
        CREATE INDEX {index_name(model.id)} ON embeddings
        USING hnsw ((embedding::halfvec({DIMENSION})) halfvec_ip_ops) WHERE model_id = {model.id}"""
    )
    return by_arms


def test_the_arms_find_what_ranking_all_finds(by_arms):
    found = recall(filters())
    assert min(found.values()) >= TARGET, found


def test_with_words_too_most_of_the_first_are_the_same(by_arms):
    """Not all: only the turns beside the most promising are looked at."""
    found = recall({"plain": filter_of()}, SearchType.HYBRID, "word3 thing2")
    assert found["plain"] >= 0.8


def test_the_index_finds_what_ranking_all_finds_under_every_filter(by_index):
    with CaptureQueriesContext(connection) as run:
        ask(filter_of(tags=("every 100",)), cloud(1, 9)[0])
    [arms] = [query["sql"] for query in run.captured_queries if "::halfvec" in query["sql"]]
    plan = "\n".join(row[0] for row in rows(f"EXPLAIN {arms.replace('%', '%%')}"))
    assert "embeddings_by_model" in plan
    found = recall(filters())
    assert min(found.values()) >= TARGET, found


@pytest.mark.parametrize("way", [SearchType.SEMANTIC, SearchType.HYBRID])
def test_where_the_index_gives_up_nothing_is_lost(by_index, monkeypatch, way):
    """Memories far from the query, among many that are nearer, lie beyond what it looks at. The
    words find as many as the vectors should, so that these are not missed by their number."""

    def scan_little():
        rows("SET LOCAL hnsw.iterative_scan = 'off'")
        rows("SET LOCAL hnsw.ef_search = 1")
        rows("SET LOCAL enable_sort = off")

    monkeypatch.setattr(candidates, "_scan_on", scan_little)
    everything = filter_of(tags=("every 1",))
    found = ask(everything, cloud(1, 9)[0], way, "word3 thing2", limit=50)
    monkeypatch.setattr(candidates, "EXACT_UP_TO", 10**9)
    assert found == ask(everything, cloud(1, 9)[0], way, "word3 thing2", limit=50)
    assert len(found) == 50


def test_never_fewer_than_exist_however_few_pass(by_index):
    for n in SHARES.values():
        passing = COUNT // n if COUNT % n == 0 else COUNT // n + 1
        found = ask(filter_of(tags=(f"every {n}",)), cloud(1, 9)[0], limit=100)
        assert len(found) == min(100, passing)


@pytest.mark.parametrize("way", list(SearchType))
def test_owners_between_whose_rows_they_lie_never_meet(by_arms, way):
    mine = set(by_arms)
    assert set(ask(filter_of(), cloud(1, 9)[0], way, limit=100)) <= mine
    theirs = ask(filter_of(session_id="bob-0"), cloud(1, 9)[0], way, limit=100)
    assert len(theirs) == 100 and not set(theirs) & mine


@pytest.mark.parametrize("way", [SearchType.SEMANTIC, SearchType.HYBRID])
def test_scope_all_reaches_everyone(by_arms, way):
    found = ask(Filter(Scope.ALL), cloud(1, 9)[0], way, limit=100)
    owners = MemoryEntry.objects.filter(id__in=found).values("owner_id").distinct()
    assert (len(found), len(owners)) == (100, 3)


def test_what_is_deleted_is_chosen_by_neither_arm(by_arms):
    query = cloud(1, 9)[0]
    first = ask(filter_of(), query, SearchType.HYBRID, limit=50)
    forget_memories([Deletion(an_id, NOW) for an_id in first])
    found = ask(filter_of(), query, SearchType.HYBRID, limit=50)
    assert len(found) == 50 and not set(found) & set(first)


def test_what_has_expired_crowds_nothing_out(by_arms):
    """Neither arm looks at the filter where it lets all but the expired through."""
    query = cloud(1, 9)[0]
    first = ask(filter_of(), query, SearchType.SEMANTIC, limit=100)
    second = ask(filter_of(), query, SearchType.HYBRID, limit=100)
    rows(
        "UPDATE memory_entries SET expires_at = now() WHERE id = ANY(%s)",
        [[*first, *second, *by_arms[:950]]],
    )
    left = COUNT - len({*first, *second, *by_arms[:950]})
    for way in (SearchType.SEMANTIC, SearchType.HYBRID):
        assert len(ask(filter_of(), query, way, limit=100)) == min(100, left)


def test_the_turns_beside_a_good_candidate_become_candidates(by_arms):
    """An answer that shares neither word nor direction with the question stands after it."""
    model_id = EmbeddingModel.objects.get(state="active").id
    far, near = unit_rows(np.array([[-1.0] * DIMENSION, cloud(1, 9)[0]]))
    asked, answer = (
        new_memory(
            text,
            session_id="ann-0",
            created_at=NOW + timedelta(days=1, seconds=second),
            vector=GivenVector(model_id, str(vector.tolist())),
        )
        for second, (text, vector) in enumerate((("which zebra won?", near), ("blue stripes", far)))
    )
    _, answered = store_memories([asked, answer])
    found = ask(filter_of(), near, SearchType.HYBRID, text="zebra won", limit=100)
    assert answered.memory_id in found
    assert answered.memory_id not in ask(filter_of(), near, SearchType.SEMANTIC, limit=100)


def test_results_are_stable_from_call_to_call(by_index):
    for way in SearchType:
        first = ask(filter_of(), cloud(1, 9)[0], way, limit=50)
        assert all(ask(filter_of(), cloud(1, 9)[0], way, limit=50) == first for _ in range(3))
