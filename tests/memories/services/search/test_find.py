"""What a search finds, in which order, and what it says about it."""

import itertools
from datetime import UTC, datetime, timedelta
from threading import Event

import numpy as np
import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from memories.changes import rows
from memories.embedders.given import GivenEmbedder
from memories.embedders.hashing import HashingEmbedder
from memories.embedders.minilm import MiniLmEmbedder, _packaged_model
from memories.errors import ValidationFailed
from memories.services.filters import Scope
from memories.services.forget import Deletion, forget_memories
from memories.services.restore import restore_memories
from memories.services.revise import Revision, revise_memories
from memories.services.search.find import search_memories
from memories.services.search.query import Query, SearchType
from memories.services.sessions import NewSession, open_sessions
from memories.services.store import store_memories
from tests.embedders import embed_all, serve_by
from tests.factories import (
    SESSION,
    WAITING_FOR_A_ROW,
    database_now,
    new_memory,
    other_connection,
    run_together,
    set_expiry,
    store,
    wait_until,
)
from tests.memories.services.asking import ask, fail, filter_of, found, ids

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 1, 31, tzinfo=UTC)
WAYS = list(SearchType)


def change(an_id, text):
    revise_memories([Revision(an_id, NOW, content_json=f'{{"text":"{text}"}}'.encode())])


def open_session(session_id, user_id=""):
    open_sessions([NewSession(b"", NOW, session_id=session_id, user_id=user_id)])


@pytest.fixture(params=["all ranked", "arms", "in memory"])
def place(request, settings, monkeypatch):
    """Where candidates are chosen; an owner is searched in memory where there is room."""
    if request.param != "in memory":
        settings.SEARCH_MEGABYTES = 0
    if request.param == "arms":
        monkeypatch.setattr("memories.services.search.candidates.ALL_UP_TO", 0)


@pytest.fixture
def spread(trial):
    """Memories that all hold one word, in every combination of what filters look at."""
    for session, user in (("s1", "ann"), ("s2", "ann"), ("s3", "bob"), (SESSION, "")):
        open_session(session, user)
    combinations = itertools.product(("s1", "s2", "s3"), ("a", "b"), ((), ("x",), ("x", "y")))
    new = [
        new_memory(
            f"apple {number}",
            session_id=session,
            memory_type=kind,
            tags=tags,
            created_at=NOW + timedelta(days=number % 4),
        )
        for number, (session, kind, tags) in enumerate(combinations)
    ]
    stored = store_memories(new)
    return {one.memory_id: memory for one, memory in zip(stored, new, strict=True)}


CONDITIONS = {
    "nothing": ({}, lambda m: True),
    "types": ({"memory_types": ("a",)}, lambda m: m.memory_type == "a"),
    "any tag": ({"tags": ("y", "z")}, lambda m: "y" in m.tags),
    "all tags": (
        {"tags": ("x", "y"), "all_tags": True},
        lambda m: {"x", "y"} <= set(m.tags),
    ),
    "start": (
        {"start": NOW + timedelta(days=2)},
        lambda m: m.created_at >= NOW + timedelta(days=2),
    ),
    "end": ({"end": NOW + timedelta(days=1)}, lambda m: m.created_at <= NOW + timedelta(days=1)),
    "all at once": (
        {"memory_types": ("b",), "tags": ("x",), "start": NOW, "end": NOW + timedelta(days=2)},
        lambda m: (
            m.memory_type == "b" and "x" in m.tags and m.created_at <= NOW + timedelta(days=2)
        ),
    ),
}
SCOPES = {
    Scope.SESSION: {"s1"},
    Scope.USER: {"s1", "s2"},
    Scope.ALL: {"s1", "s2", "s3"},
}


def test_every_filter_in_every_scope_by_every_way(spread, place):
    for way, (scope, sessions), (conditions, passes) in itertools.product(
        WAYS, SCOPES.items(), CONDITIONS.values()
    ):
        expected = {an_id for an_id, m in spread.items() if m.session_id in sessions and passes(m)}
        result = ask("apple", way, scope=scope, session_id="s1", **conditions)
        assert set(ids(result)) == expected, (way, scope, conditions)
        assert result.total_count == len(expected)


@pytest.mark.parametrize("way", WAYS)
def test_where_nothing_can_be_found_nothing_is(spread, way):
    for scope in (Scope.SESSION, Scope.USER):
        result = ask("apple", way, scope=scope, session_id="never seen")
        assert (result.results, result.total_count) == ([], 0)
    assert found("apple", way, session_id=SESSION) == []


@pytest.mark.parametrize("way", WAYS)
def test_results_are_stable_from_call_to_call(trial, way):
    store_memories([new_memory("the same words") for _ in range(30)])
    first = found("words", way, limit=10)
    assert len(first) == 10
    assert all(found("words", way, limit=10) == first for _ in range(3))


def test_what_has_no_text_is_no_answer_wherever_it_is_looked_for(trial, place):
    ids_ = {store(f"apple {number}") for number in range(3)}
    store("", content_json=b'{"volume": 3}')
    embed_all()
    for way in WAYS:
        result = ask("apple", way)
        assert (set(ids(result)), result.total_count) == (ids_, 3)


def test_the_total_counts_what_no_arm_chose(trial, place, monkeypatch):
    monkeypatch.setattr("memories.services.search.candidates.ARM_SIZE", 3)
    monkeypatch.setattr("memories.services.search.candidates._SPARE", 0)
    for number in range(20):
        store(f"apple {number}", tags=["x"])
    embed_all()
    for way in WAYS:
        assert ask("apple", way, limit=2).total_count == 20
        assert ask("apple", way, limit=2, tags=("x",)).total_count == 20


def test_the_limit_cuts_and_the_total_counts(trial, place):
    store_memories([new_memory("apple") for _ in range(20)])
    for way in WAYS:
        result = ask("apple", way, limit=3)
        assert (len(result.results), result.total_count) == (3, 20)


def test_a_reply_is_cut_at_its_limit_and_says_so(trial):
    store_memories([new_memory("apple " * 500) for _ in range(5)])
    result = ask("apple", max_bytes=10_000)
    assert 0 < len(result.results) < 5
    assert result.search_metadata.has_more is True


class TestWords:
    def test_the_rarer_word_counts_more(self, trial):
        common = [store(f"tea at {hour}") for hour in ("noon", "seven", "nine")]
        rare = store("the harbour at dawn")
        assert found("tea harbour", SearchType.KEYWORD) == [rare, *sorted(common)]

    @pytest.mark.parametrize("way", [SearchType.KEYWORD, SearchType.HYBRID])
    @pytest.mark.parametrize(
        ("query", "expected"),
        [
            ('"green tea"', {"a cup of green tea"}),
            ('tea "green tea"', {"a cup of green tea"}),
            ("tea -green", {"black tea", "tea, not yet green-ish"} - {"tea, not yet green-ish"}),
            ('tea -"green tea"', {"black tea", "green is the tea", "tea, not yet green-ish"}),
            ('"the" tea', {"green is the tea"}),
            ('tea -the "of"', {"a cup of green tea"}),
        ],
    )
    def test_phrases_stand_together_and_exclusions_keep_out(self, trial, way, query, expected):
        texts = ("a cup of green tea", "green is the tea", "black tea", "tea, not yet green-ish")
        texts_of = {store(text): text for text in texts}
        result = {texts_of[an_id] for an_id in found(query, way)}
        assert result == expected

    def test_an_exclusion_alone_finds_by_meaning_what_is_left(self, trial):
        store("green tea")
        black = store("black tea")
        assert found("-green") == [black]
        assert found("-green", SearchType.KEYWORD) == []

    def test_word_forms_meet(self, trial):
        an_id = store("She was running home")
        assert found("runs", SearchType.KEYWORD) == [an_id]


QUERIES = {
    "100 000 characters": "apple pear " * 9_091,
    "one word of 100 000 characters": "a" * 100_000,
    "100 000 quotes": '"' * 100_000,
    "only stop words": "the of and to",
    "stop words in quotes": '"the of" -"and"',
    "only punctuation": "?!... --- ''' \\ \\\\ :* & | ! <->",
    "spaces": " \t\n ",
    "right to left": "\u05e9\u05dc\u05d5\u05dd \u0645\u0631\u062d\u0628\u0627 \u202eapple",
    "mixed scripts": "apple 苹果 яблоко μήλο 🍎",
    "SQL": "apple'; DROP TABLE memory_entries; -- %s %(owner)s {0} $1",
    "quotes and minus": '-"apple -pear\' "- -- -"" ""',
    "combining": "a\u0301\u0301\u0301pple\u200d\ufeff",
    "64 words and more": " ".join(f"word{number}" for number in range(200)),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("query", QUERIES.values(), ids=QUERIES)
def test_no_query_is_an_error(trial, way, query):
    an_id = store("apple and pear")
    result = ask(query, way)
    assert set(ids(result)) <= {an_id}
    if way is not SearchType.KEYWORD:
        assert result.total_count <= 1


@pytest.mark.parametrize("way", WAYS)
def test_a_nul_is_refused_by_its_field(wire, trial, way):
    error = wire.error("search", {"query": "a\0b", "search_type": way})
    assert (error["code"], error["details"]["field"]) == ("validation_error", "payload.query")


@pytest.mark.parametrize("text", ["שלום עולם", "слово дня", "苹果", "🍎 🍏"])
def test_every_script_is_found(trial, text):
    an_id = store(text)
    store("other words")
    assert found(text)[0] == an_id
    assert found(text, SearchType.SEMANTIC)[0] == an_id


class TestSimilarity:
    def test_it_is_half_of_one_and_the_cosine(self, trial):
        one, two = store("alpha beta"), store("alpha gamma")
        query, document = trial.embed_queries(["alpha beta", "alpha gamma"])
        for way in (SearchType.SEMANTIC, SearchType.HYBRID):
            scores = {m.memory_id: m.similarity_score for m in ask("alpha beta", way).results}
            assert scores[one] == 1
            assert scores[two] == pytest.approx((1 + query @ document) / 2, abs=1e-5)

    def test_of_words_it_is_the_share_of_their_weight(self, trial):
        both, one = store("harbour tea"), store("tea")
        scores = {
            m.memory_id: m.similarity_score for m in ask("tea harbour", SearchType.KEYWORD).results
        }
        assert scores[both] == 1
        assert 0 < scores[one] < 0.5  # the rarer word weighs more

    def test_where_a_memory_has_no_vector_its_words_speak(self, trial):
        trial.before = fail
        an_id = store("tea")
        [memory] = ask("tea").results
        assert (memory.memory_id, memory.similarity_score) == (an_id, 1)

    def test_a_least_similarity_drops_what_no_word_matched(self, trial):
        near, far = store("alpha beta"), store("delta")
        options = {"min_similarity": 0.9}
        assert found("alpha beta", SearchType.SEMANTIC, **options) == [near]
        assert found("alpha beta", SearchType.HYBRID, **options) == [near]
        assert set(found("delta gamma epsilon zeta", SearchType.HYBRID, **options)) == {far}
        assert found("delta gamma epsilon zeta", SearchType.KEYWORD, **options) == [far]
        assert found("delta gamma epsilon zeta", SearchType.SEMANTIC, **options) == []
        assert ask("alpha beta", SearchType.SEMANTIC, **options).total_count == 1

    def test_a_score_given_back_as_the_least_keeps_its_memory(self, trial):
        words = ["alpha", "beta", "gamma", "delta", "omega"]
        for number in range(40):
            store(" ".join([*words, *words][number % 5 :][: 1 + number // 8]))
        query = {"text": "alpha omega", "way": SearchType.SEMANTIC}
        for memory in ask(**query, limit=40).results:
            kept = ask(**query, limit=40, min_similarity=memory.similarity_score).results
            assert memory.memory_id in [one.memory_id for one in kept]


@pytest.mark.parametrize(
    ("kind", "embedder"), [("given", GivenEmbedder(64)), ("hashing", HashingEmbedder(64))]
)
def test_a_vector_that_a_client_gives_is_compared_as_it_is(wire, place, kind, embedder):
    """Though the memories have much in common, which is taken off where the text is embedded."""
    serve_by(embedder, kind)
    chance = np.random.default_rng(5)
    common = 3 * chance.normal(size=64)
    vectors = common + chance.normal(size=(40, 64))
    stored = [wire.create(f"one {vector[0]}", embedding=vector.tolist()) for vector in vectors]
    query = common / 3 + chance.normal(size=64)
    cosines = vectors @ query / np.linalg.norm(vectors, axis=1)
    nearest = [stored[number] for number in np.argsort(-cosines)[:10]]
    asked = {"query": "?", "search_type": "semantic", "query_embedding": query.tolist()}
    for _ in range(2):
        results = wire.data("search", asked | {"filters": {"limit": 10}})["results"]
        assert [memory["memory_id"] for memory in results] == nearest


@pytest.mark.parametrize("way", WAYS)
class TestChanges:
    def test_a_changed_memory_is_never_found_by_its_old_text(self, trial, way):
        an_id = store("alpha")
        assert found("alpha", way, min_similarity=0.9) == [an_id]
        change(an_id, "omega")
        assert found("alpha", way, min_similarity=0.9) == []
        assert found("omega", way, min_similarity=0.9) == [an_id]

    def test_what_is_deleted_is_gone_at_once_and_what_is_restored_is_back(self, trial, way):
        an_id = store("alpha")
        assert found("alpha", way) == [an_id]
        forget_memories([Deletion(an_id, NOW)])
        assert ask("alpha", way).total_count == 0
        restore_memories([an_id], NOW)
        assert found("alpha", way) == [an_id]

    def test_what_has_expired_is_gone_whether_or_not_a_job_has_run(self, trial, way, monkeypatch):
        gone = [one.memory_id for one in store_memories([new_memory("alpha") for _ in range(300)])]
        left = store("alpha beta gamma delta epsilon")
        found("alpha", way)  # they have their vectors
        for an_id in gone:
            set_expiry(an_id, database_now())
        assert found("alpha", way) == [left]
        monkeypatch.setattr("memories.services.search.candidates.ALL_UP_TO", 0)
        assert found("alpha", way) == [left]


def test_a_vector_that_was_kept_while_its_memory_changed_is_not_compared(
    transactional_db, trial, place, monkeypatch
):
    """The change waits for the one who keeps the vector, and then cannot see it to remove it."""
    an_id = store("alpha")
    kept, changes = Event(), Event()

    def keep_slowly(sql, parameters=()):
        with transaction.atomic():  # the statement is not over, nor are its locks
            result = rows(sql, parameters)
            if "INSERT INTO embeddings" in sql:
                kept.set()
                assert changes.wait(10)
        return result

    monkeypatch.setattr("memories.services.embedding.tasks.rows", keep_slowly)

    def change_meanwhile():
        assert kept.wait(10)
        revise_memories([Revision(an_id, NOW, content_json=b'{"note":"nothing to embed"}')])

    def let_it_change():
        assert kept.wait(10)
        with other_connection() as other:
            wait_until(lambda: other.execute(WAITING_FOR_A_ROW).fetchall())
        changes.set()

    run_together([embed_all, change_meanwhile, let_it_change])
    assert found("alpha", SearchType.SEMANTIC) == []


def test_of_a_batch_each_has_its_own_answer_and_the_model_is_called_once(trial):
    alpha, beta = store("alpha"), store("beta")
    calls = []
    trial.before_query = calls.append
    queries = [
        Query("alpha", filter_of()),
        Query("beta", filter_of(), SearchType.SEMANTIC, vector=(1.0,)),
        Query("beta", filter_of(), SearchType.SEMANTIC),
        Query("beta", filter_of(), SearchType.KEYWORD),
    ]
    one, refused, two, three = search_memories(queries)
    assert calls == [["alpha", "beta"]]
    assert ids(one)[0] == alpha and ids(two)[0] == beta and ids(three) == [beta]
    assert isinstance(refused, ValidationFailed)


def test_statements_are_few_and_only_a_small_sample_reads_vectors(trial, place):
    store_memories([new_memory(f"alpha {number}") for number in range(50)])
    found("alpha")
    query = Query("alpha", filter_of())
    with CaptureQueriesContext(connection) as run:
        search_memories([query])
    said = [query["sql"] for query in run.captured_queries]
    statements = [sql for sql in said if "SAVEPOINT" not in sql and not sql.startswith("SET LOCAL")]
    assert len(statements) <= 6
    reading = [sql for sql in statements if "vector_send(embedding)" in sql or "e.*" in sql]
    assert all("LIMIT 256" in sql for sql in reading)


@pytest.fixture(scope="module")
def minilm():
    return MiniLmEmbedder(_packaged_model())  # as it comes: the faster form takes long to make


class TestMeaning:
    """With the bundled model, since only a model knows what words mean."""

    @pytest.fixture
    def told(self, db, embedders, minilm):
        serve_by(minilm, "minilm")
        texts = (
            "Our dog needs his rabies shot on Thursday.",
            "The boiler was repaired for 240 euros.",
            "Grandma's flight lands at half past nine.",
            "I am allergic to peanuts.",
            "Tom moved to Lisbon in spring.",
        )
        return {text: store(text) for text in texts}

    @pytest.mark.parametrize(
        ("question", "answer"),
        [
            ("When does the puppy go to the vet?", "Our dog needs"),
            ("What did fixing the heating cost?", "The boiler"),
            ("Which foods make me ill?", "I am allergic"),
        ],
    )
    def test_a_question_that_shares_no_word_with_its_answer_is_answered(
        self, told, question, answer
    ):
        [expected] = [an_id for text, an_id in told.items() if text.startswith(answer)]
        assert expected not in found(question, SearchType.KEYWORD)
        assert found(question, SearchType.SEMANTIC)[0] == expected
        assert found(question)[0] == expected


def test_a_search_over_the_wire_says_what_ran(wire, trial):
    an_id = wire.create("alpha", tags=["x"])
    data = wire.data("search", {"query": "alpha", "filters": {"tags": ["x"], "limit": 1}})
    [memory] = data["results"]
    assert (memory["memory_id"], memory["similarity_score"]) == (an_id, 1)
    assert data["total_count"] == 1
    assert data["search_metadata"] == {
        "search_type": "hybrid",
        "embedding_model": "trial/1",
        "query_embedding_dimension": 64,
    }
