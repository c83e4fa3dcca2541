"""The benchmarks run against the code as it is, and judge by the right figures."""

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import msgspec
import numpy as np
import psycopg
import pytest
import zmq
from django.db.models import Count

from benchmarks import filtered_recall, growth, ranking_lab, retrieval
from benchmarks.driver import Timed, closed_loop, open_loop
from benchmarks.figures import Figure, figure_of
from benchmarks.load import load, user_of
from benchmarks.markdown import growth_table
from benchmarks.processes import cpu_seconds, cpu_seconds_of_threads, nearest, sampling
from benchmarks.report import beyond_guard, failures
from benchmarks.rivals import __main__ as rivals
from benchmarks.rivals import calling, programs, recalling
from benchmarks.scenarios.searches import skewed
from benchmarks.scenarios.steady import growth_an_hour
from benchmarks.serving import WITHOUT_EMBEDDING
from benchmarks.serving import serving as serving_alone
from benchmarks.targets import TARGETS, Target
from benchmarks.vectors import share_tags, unit_vectors
from benchmarks.workload import LARGE_USER, Requests
from memories import ids
from memories.changes import rows
from memories.models import Embedding, EmbeddingTask, MemoryEntry, Session
from memories.services.embedding.models import serving
from memories.services.embedding.vector_index import drop_index
from memories.services.filters import Filter, Scope
from memories.services.search.find import search_memories
from memories.services.search.query import Query, SearchType
from memories.services.search.ranking import Candidates, scale_of
from memories.services.search.weights import Weights
from zmqbridge.client import Client

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def slow_peer():
    """A ROUTER that takes 20 ms for each request, one after the other."""
    with zmq.Context() as context, context.socket(zmq.ROUTER) as router:
        port = router.bind_to_random_port("tcp://127.0.0.1")
        router.setsockopt(zmq.RCVTIMEO, 100)
        stop = threading.Event()

        def serve():
            while not stop.is_set():
                try:
                    *route, body = router.recv_multipart()
                except zmq.Again:
                    continue
                time.sleep(0.02)
                asked = msgspec.json.decode(body)
                reply = {"status": "success", "request_id": asked["request_id"]}
                router.send_multipart([*route, msgspec.json.encode(reply)])

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"tcp://127.0.0.1:{port}"
        stop.set()
        thread.join()


def pings(count):
    requests = Requests()
    return [requests.make("ping", {}) for _ in range(count)]


def test_an_open_loop_counts_the_time_that_requests_wait_for_their_turn(slow_peer):
    timed = open_loop(slow_peer, pings(10), [0.0] * 10)
    assert sorted(timed.all_seconds())[-1] > 0.15


def test_a_closed_loop_sends_the_next_when_one_is_answered(slow_peer):
    timed = closed_loop(slow_peer, [pings(5), pings(5)], in_flight=1)
    assert len(timed.all_seconds()) == 10
    assert max(timed.all_seconds()) < 0.15
    assert timed.rate() == pytest.approx(10 / (timed.ended - timed.began))


def test_a_failed_request_is_told_with_its_reply():
    timed = Timed(0, 1, {"read": [0.1]}, [b'{"status":"error","error":"gone"}'], failed=1)
    [told] = failures({"read": [figure_of("read", timed)]})
    assert told.startswith("read: 1 requests failed")
    assert "gone" in told


GUARDED = [target for target in TARGETS if target.guard]


def figures(target, ratio):
    """What a target looks at, its figure `ratio` times its floor."""
    values = {target.floor: 1.0, target.figure: ratio}
    return {name: [Figure(name, rate=v, percentiles_ms=(v,) * 101)] for name, v in values.items()}


@pytest.mark.parametrize("target", GUARDED, ids=lambda target: f"{target.figure}, {target.floor}")
def test_the_guard_lets_pass_what_is_good_and_names_what_is_not(target):
    more, less = target.guard * 1.1, target.guard / 1.1
    good, bad = (more, less) if target.measure == "rate" else (less, more)
    assert beyond_guard(figures(target, good)) == []
    assert [fault.partition(":")[0] for fault in beyond_guard(figures(target, bad))] == [
        target.figure
    ]


def test_a_ratio_is_taken_within_each_round():
    target = Target("create", "rate", "floor", guard=2)
    quiet, noisy = (Figure("", rate=rate) for rate in (3000, 300))
    floor_quiet, floor_noisy = (Figure("", rate=rate) for rate in (1000, 100))
    rounds = {"create": [quiet, noisy], "floor": [floor_quiet, floor_noisy]}
    assert target.value(rounds) == 3


def test_processor_time_of_threads_is_read():
    process_id = os.getpid()
    with sampling(lambda: cpu_seconds_of_threads(process_id), 0.02) as samples:
        until = time.thread_time() + 0.2
        while time.thread_time() < until:
            pass
    began, ended = nearest(samples, 0), nearest(samples, time.perf_counter())
    thread = str(threading.get_native_id())
    assert 0.1 <= ended[thread] - began[thread] < 0.5
    assert cpu_seconds(process_id) >= ended[thread]


def test_the_growth_of_memory_is_that_after_the_warm_up():
    warming = [(second, 100.0 + 10 * second) for second in range(30)]
    steady = [(second, 400.0 + second / 60) for second in range(30, 100)]
    assert growth_an_hour(warming + steady) == pytest.approx(60)


def test_cost_against_rows_is_drawn_for_what_was_measured(tmp_path):
    pytest.importorskip("matplotlib")
    figures = {name: {"percentiles_ms": [1.0] * 101} for name in growth._DRAWN}
    path = growth.draw({10: figures, 1000: figures}, tmp_path / "plots")
    assert "create, 1 in flight" in path.read_text()
    assert growth.points_of({1000: figures, 10: {}}, "create, 1 in flight") == [(1000, 1.0)]


def test_growth_is_that_of_the_most_rows_to_the_fewest():
    name, memory = "create, 1 in flight", "memory, embedder none"

    def figures(ms, megabytes):
        size = {"percentiles_ms": [], "value": megabytes, "unit": "MB"}
        return {name: {"percentiles_ms": [ms] * 101}, memory: size}

    runs = {1000: figures(3.0, 110.0), 10: figures(2.0, 100.0)}
    assert list(growth.rows_of(runs)) == [
        [name, "2.00 / 2.00", "3.00 / 3.00", "1.50, ≤ 1.5: met"],
        [memory, "100.0 MB", "110.0 MB", "1.10"],
    ]
    slower = runs | {1000: figures(3.1, 110.0)}
    assert next(growth.rows_of(slower))[-1] == "1.55, ≤ 1.5: missed"
    assert next(growth.rows_of({10: runs[10]}))[-1] == "-"
    assert list(growth_table({"runs": {str(rows): each for rows, each in runs.items()}}))[2] == (
        f"| {name} | 2.00 / 2.00 | 3.00 / 3.00 | 1.50, ≤ 1.5: met |"
    )


@pytest.fixture
def indexed(transactional_db, trial):
    """A model whose index, which no test would roll back, goes with it."""
    yield
    drop_index(serving().model_id)


def test_the_loader_stores_memories_that_are_found_like_any_other(indexed):
    load(rows=60, owners=3, large=[40])
    owner = ids.owner_of_user(LARGE_USER)
    assert MemoryEntry.objects.count() == Embedding.objects.count() == 100
    assert MemoryEntry.objects.filter(owner_id=owner).count() == 40
    assert not EmbeddingTask.objects.exists()
    [lengths] = rows(
        "SELECT min(vector_norm(embedding)), max(vector_norm(embedding)) FROM embeddings"
    )
    assert lengths == pytest.approx((1, 1), abs=1e-5)
    text = MemoryEntry.objects.filter(owner_id=owner).first().text
    query = Query(text, Filter(Scope.USER, owner_id=owner), SearchType.KEYWORD)
    [found] = search_memories([query])
    assert msgspec.json.decode(found.results[0].content)["text"] == text


def test_each_session_of_a_loaded_owner_has_its_part(indexed):
    load(rows=150, owners=1, large=[200])
    for user, memories, sessions in ((LARGE_USER, 200, 4), (user_of(0), 150, 3)):
        of_user = MemoryEntry.objects.filter(owner_id=ids.owner_of_user(user))
        counts = of_user.values("session_id").annotate(count=Count("id"))
        assert [each["count"] for each in counts] == [memories // sessions] * sessions
        assert Session.objects.filter(user_id=user).count() == sessions


def test_tags_of_the_loader_have_their_shares():
    tags = [tag for of_one in share_tags(40_000, seed=3) for tag in of_one]
    for percent in (1, 10, 30):
        for kind in ("spread", "topic"):
            assert tags.count(f"{kind}-{percent}") / 40_000 == pytest.approx(
                percent / 100, rel=0.15
            )


def test_what_shares_a_topic_lies_together():
    vectors, tags = unit_vectors(2_000, 64, seed=5), share_tags(2_000, seed=5)
    chosen = {
        kind: vectors[[number for number, of_one in enumerate(tags) if f"{kind}-3" in of_one]]
        for kind in ("spread", "topic")
    }
    spread, topic = (float((some @ some.T).mean()) for some in chosen.values())
    assert topic > 2 * spread


def test_exact_recall_is_of_what_passes_the_filter():
    scores = np.array([0.9, 0.8, 0.7, 0.6], np.float32)
    assert filtered_recall._recall(scores, np.array([0, 1, 2, 3])) == 1
    assert filtered_recall._recall(scores, np.array([1, 3])) == 0.5
    many = np.linspace(0, 1, 100, dtype=np.float32)
    assert filtered_recall._recall(many, np.arange(88, 98)) == pytest.approx(0.8)


def dialogue_of(right_by_words, questions=3):
    """Four memories; the words point at the first, the vectors at the second, and the answer is
    the first one or the second."""
    zeros, none = np.zeros(4), np.full(4, -1)
    candidates = Candidates(
        session=np.zeros(4, np.int64),
        previous=none,
        next=none,
        mask=np.array([1, 0, 0, 0]),
        words=np.full(4, 10.0),
        characters=np.full(4, 60.0),
        asks=np.zeros(4, bool),
        named=np.zeros(4, bool),
        priority=np.full(4, 5.5),
        age_days=zeros,
    )
    vector_scores = np.array([-1.0, 1.0, 0.0, 0.0])
    scale = scale_of(candidates.mask, candidates.words, 1)
    evidence = [0 if right_by_words else 1]
    return ranking_lab.Dialogue(
        "talk", [ranking_lab.Asked(candidates, scale, vector_scores, evidence)] * questions
    )


def test_weights_are_chosen_on_the_dialogues_that_are_named():
    lab = ranking_lab.Lab([dialogue_of(True), dialogue_of(False)])
    by_words, by_vectors = (lab.choose([place]) for place in (0, 1))
    assert lab.qualities(by_words)[0].mrr == lab.qualities(by_vectors)[1].mrr == 1
    assert by_words.lexical > by_vectors.lexical
    assert ranking_lab.told(by_vectors)


def test_held_out_dialogues_are_judged_by_the_weights_of_the_others():
    table = retrieval.held_out(ranking_lab.Lab([dialogue_of(True), dialogue_of(True)]))
    assert table.row_count == 2 * 2 + 6


def test_dialogues_with_one_question_or_none_are_reported():
    assert retrieval.questions_of(retrieval.Stored("silent", [], {}, "")) == []
    [told] = retrieval.questions_of(
        retrieval.Stored(
            "short",
            [{"text": "who?", "evidence": ["1", "lost"]}, {"text": "?", "evidence": []}],
            {"1": "mem-1"},
            "",
        )
    )
    assert told.evidence == ["mem-1"]
    one = [retrieval.Answered(1, [0], 0.1)]
    assert retrieval.report(dict.fromkeys(retrieval.SEARCH_TYPES, one)).row_count == 4


def test_few_of_many_owners_ask_the_most():
    asked = skewed([f"session-{number}" for number in range(100)], 10_000, seed=1)
    counts = sorted((asked.count(name) for name in set(asked)), reverse=True)
    assert len(counts) > 90
    assert 0.1 < counts[0] / 10_000 < 0.3


def test_vectors_of_the_loader_gather_around_centres():
    vectors = unit_vectors(500, 64, seed=1)
    nearest = np.sort(vectors @ vectors.T, axis=1)[:, -2]
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert np.median(nearest) > 0.4


@pytest.fixture(scope="module")
def served():
    """An orchestrator of its own whose embedding job is at rest."""
    settings = {"EMBEDDER": "hashing", "EMBEDDING_DIMENSION": "384", "DATABASE_URL": ""}
    with serving_alone(settings, WITHOUT_EMBEDDING) as served:
        yield served


@pytest.mark.acceptance
def test_filters_of_every_share_are_searched_and_compared(served):
    measured = list(filtered_recall.run(served, rows=400, query_count=2))
    assert {each.recall for each in measured} == {1.0}
    [everyone] = [each for each in measured if each.filter == "everyone's"]
    assert everyone.share == 1
    assert everyone.memories >= 400
    assert len(measured) > 15


@pytest.mark.acceptance
def test_a_resting_job_leaves_what_waits_for_a_vector(served):
    with Client(served.endpoint) as client:
        session = client.create_session().session_id
        stored = client.create("Nobody embeds this yet.", session_id=session)
        with psycopg.connect(served.database) as connection:
            waiting = connection.execute(
                "SELECT attempts FROM embedding_tasks WHERE memory_id = %s", [stored.memory_id]
            )
            assert waiting.fetchall() == [(0,)]
        [found] = client.search("embeds", search_type="semantic", session_id=session).results
        assert found.text == "Nobody embeds this yet."


@pytest.mark.acceptance
def test_dialogues_are_stored_and_asked_through_the_orchestrator(served):
    turns = [
        {"id": str(n), "session": "one", "speaker": "Anna", "text": text, "caption": ""}
        for n, text in enumerate(("The cat is called Minou.", "Bins go out on Monday."))
    ]
    question = {"text": "When do bins go out?", "evidence": ["1"], "category": 4}
    dialogue = {"name": "bench-talk", "turns": turns, "questions": [question]}
    with Client(served.endpoint) as client:
        stored = retrieval.store(client, dialogue)
        silent = retrieval.store(client, {"name": "bench-silence", "turns": turns})
    for kind in retrieval.SEARCH_TYPES:
        [answered] = retrieval.measure(served.endpoint, [stored, silent], kind)
        assert answered.places == [0]
    lab = retrieval.read_lab(served, [stored, silent])
    [quality] = lab.qualities(Weights())
    assert quality.recall_5 == quality.mrr == 1


def test_each_scenario_and_round_of_rivals_has_memories_of_its_own():
    work = calling.Work(rivals.make_work(count=240, recall=0, rounds=2) | {"endpoint": ""})
    creating = (
        calling.ROW,
        calling.ROW_MANY,
        calling.VECTOR,
        calling.VECTOR_MANY,
        calling.BATCHES,
        calling.READ_NEW,
    )
    texts = [m[1] for name in creating for number in (0, 1) for m in work.part(name, number)]
    assert len(texts) == len(set(texts)) == 240
    batched = [memory for batch in work.batches(0) for memory in batch]
    assert sorted(batched) == sorted(work.part(calling.BATCHES, 0))
    assert all(len({owner for owner, _, _ in batch}) == 1 for batch in work.batches(0))


def test_recall_of_rivals_is_by_owner():
    memories = [["some", "", vector] for vector in ([1, 0], [0.8, 0.6], [0, 1])]
    memories += [["most", "", [1, 0]], ["few", "", [0, 1]]]
    queries = [[owner, "", [1, 0]] for owner in recalling.SHARES]
    found = recalling.recalls({"found": [[3], [0, 1], []]}, memories, queries)
    assert found["recall@10, owner of 14.8%"]["recall"] == 1
    assert found["recall@10, owner of 5.0%"]["recall"] == pytest.approx(2 / 3)
    assert found["recall@10, owner of 1.3%"]["recall"] == 0


def test_rivals_are_told_as_multiples():
    of_row = {
        "this orchestrator": {"rounds": [{"rate": 100, "p50": 1}, {"rate": 300, "p50": 3}]},
        "mem0": {"rounds": [{"rate": 50, "p50": 9}]},
        "other": {"rounds": [{"error": "away"}]},
    }
    told = rivals._with_ratios(of_row)
    assert told["mem0"]["ours_to_it"] == 4
    assert told["other"] == {"error": "away"}


@pytest.mark.acceptance
def test_rivals_are_asked_by_turns(served, tmp_path):
    work = rivals.make_work(count=60, recall=0, rounds=1)
    work["queries"] = work["queries"][:5]
    ours_and_plain = programs.RIVALS[:2]
    scenarios = rivals.compare(served, ours_and_plain, work, tmp_path)
    assert scenarios[calling.ROW]["a commit each, REP"]["ours_to_it"] > 0
    assert set(scenarios[calling.HYBRID]) == {"this orchestrator"}
    errors = [
        figures for row in scenarios.values() for figures in row.values() if "error" in figures
    ]
    assert errors == []


@pytest.mark.acceptance
def test_a_run_measures_its_scenarios_and_floors(tmp_path):
    result = tmp_path / "result.json"
    command = [sys.executable, "-m", "benchmarks", "--quick", "--rounds=1", "--rows=200"]
    command += ["--only", "keyword_search", f"--json={result}"]
    environment = {k: v for k, v in os.environ.items() if k != "DATABASE_URL"}
    subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True, timeout=110)
    report = json.loads(result.read_text())
    assert {name for name in report["figures"] if not name.startswith("floor")} == {
        "load generator, processor time a request",
        "keyword search, 1 in flight",
        "keyword search, 8 in flight",
    }
    assert all((figure["rate"] or figure["value"]) > 0 for figure in report["figures"].values())
