import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from memories.chat import openai
from memories.chat.options import ChatOptions
from memories.embedders.circuit import Circuit
from memories.models import Embedding
from memories.services.filters import Filter, Scope
from memories.services.forget import Deletion, forget_memories
from memories.services.sessions import owners_of_sessions
from memories.services.summarize import summarize_memories
from memories.text.summary import summarize_turns
from memories.text.turns import Turn
from tests.embedders import embed_all
from tests.factories import SESSION, store
from tests.memories.embedders.endpoint import Endpoint, body, drop, hang, status, trickle

pytestmark = pytest.mark.django_db

DAY = datetime(2026, 9, 3, 8, tzinfo=UTC)
SAID = [
    ("Anna", "The plumber comes on Tuesday at nine."),
    ("Ben", "Good. The tap in the bathroom drips all night."),
    ("Anna", "He charges 80 euros an hour."),
    ("Ben", "Then he should look at the tap in the kitchen, too."),
    ("Anna", "I decided to book him for two hours on Tuesday."),
    ("Ben", "The tap drips, and the tap in the kitchen drips as well."),
    ("Anna", "Remember that I am allergic to the new detergent."),
    ("Ben", "The old detergent stands below the sink in the bathroom."),
    ("Anna", "Tuesday it is, then, at nine, for two hours."),
    ("Ben", "I like the tap in the garden: it never drips."),
    ("Anna", "The neighbours come for dinner on Friday at seven."),
    ("Ben", "Friday at seven; I buy fish for the neighbours."),
    ("Anna", "Buy lemons and rice, and the white wine that they like."),
    ("Ben", "The car has to go to the garage before Friday."),
    ("Anna", "It needs new brakes, which cost 300 euros."),
    ("Ben", "I take the bus to work until the car is back."),
    ("Anna", "The bus leaves at 7:40 from the bridge."),
    ("Ben", "My sister visits us in October with the twins."),
    ("Anna", "The twins sleep in the study, on the blue sofa."),
    ("Ben", "Then the printer has to move to the hall."),
]


@pytest.fixture
def talk():
    """Stores the conversation, its speakers in the content or in the text; returns its turns."""
    turns = [
        Turn(text, speaker, DAY + timedelta(minutes=minute))
        for minute, (speaker, text) in enumerate(SAID)
    ]
    for number, turn in enumerate(turns):
        content = {"text": turn.text, "speaker": turn.speaker}
        if number % 2:
            content = {"text": f"{turn.speaker}: {turn.text}"}
        store(content_json=json.dumps(content).encode(), created_at=turn.created_at)
    return turns


def summarize():
    owner_id = owners_of_sessions([SESSION]).get(SESSION)
    return summarize_memories(Filter(Scope.SESSION, SESSION, owner_id))


def all_near_at_first(count):
    """The first nine turns go one way, the others each their own."""
    return [0] * 9 + list(range(1, count - 8))


class TestInTheirOwnWords:
    def test_counts_and_times_are_of_all(self, talk):
        store("", content_json=b'{"volume": 3}', created_at=DAY + timedelta(hours=1))
        summary = summarize()
        assert summary.text == summarize_turns(talk)
        assert summary.method == "extractive"
        assert summary.memory_count == len(talk) + 1
        assert (summary.start, summary.end) == (DAY, DAY + timedelta(hours=1))

    def test_of_nothing(self):
        assert summarize().text == ""
        forget_memories([Deletion(store("gone"), DAY)])
        assert (summarize().text, summarize().memory_count) == ("", 0)

    def test_vectors_count_where_most_turns_have_one(self, trial, talk):
        trial.after = lambda vectors: np.eye(64, dtype=np.float32)[all_near_at_first(len(vectors))]
        vectors = trial.embed_documents([f"{turn.speaker}: {turn.text}" for turn in talk])
        with_vectors = summarize_turns(talk, vectors=vectors)
        assert with_vectors != summarize_turns(talk)
        assert summarize().text == summarize_turns(talk)
        embed_all()
        assert summarize().text == with_vectors
        one_more = Turn("One more.", "", DAY + timedelta(days=1))
        store(one_more.text, created_at=one_more.created_at)
        with_one_without = np.vstack([vectors, np.zeros(64)])
        assert summarize().text == summarize_turns([*talk, one_more], vectors=with_one_without)

    def test_a_vector_of_what_a_turn_said_before_counts_for_nothing(self, trial, talk):
        embed_all()
        Embedding.objects.update(version=99)
        assert summarize().text == summarize_turns(talk)


@pytest.fixture
def endpoint():
    endpoint = Endpoint()
    yield endpoint
    endpoint.stop()


@pytest.fixture
def model(endpoint, settings):
    """Has summaries written by the endpoint; call it to change the options."""

    def set_up(**changes):
        settings.SUMMARY_MODEL = ChatOptions(endpoint.url, "small", **{"api_key": "k"} | changes)

    set_up()
    return set_up


def says(content):
    """An answer of a chat model."""
    return body(json.dumps({"choices": [{"message": {"role": "assistant", "content": content}}]}))


@pytest.mark.usefixtures("model")
class TestByAModel:
    def test_it_reads_the_talk_and_its_answer_is_the_summary(self, endpoint, talk):
        endpoint.script = [says("\n Anna booked the plumber. ")]
        summary = summarize()
        assert (summary.text, summary.method) == ("Anna booked the plumber.", "model")
        assert summary.memory_count == len(talk)
        [asked] = endpoint.requests
        assert (asked["path"], asked["model"]) == ("/v1/chat/completions", "small")
        assert endpoint.keys == ["Bearer k"]
        [instruction, question] = asked["messages"]
        assert instruction["role"] == "system"
        assert question["content"].startswith("[2026-09-03]\nAnna: The plumber comes on Tuesday")
        assert question["content"].count("Anna: ") == 10

    def test_it_is_not_asked_where_nothing_was_said(self, endpoint):
        assert summarize().method == "extractive"
        assert endpoint.requests == []

    def test_it_is_given_no_more_than_it_can_read(self, endpoint, talk):
        for number in range(60):
            store(f"Long {number}. " + "So it went on. " * 300)
        endpoint.script = [says("x" * 10_000)]
        summary = summarize()
        [_, question] = endpoint.requests[0]["messages"]
        assert len(question["content"]) < 65_000
        assert all(turn.text in question["content"] for turn in talk)
        assert len(summary.text) <= 4_000

    @pytest.mark.parametrize(
        "answer",
        [
            status(500),
            status(401),
            drop,
            hang,
            trickle,
            body("<html>"),
            body("{}"),
            body('{"choices": []}'),
            body('{"choices": [{"message": {"content": null}}]}'),
            body('{"choices": [{"message": {"content": "\\ud800"}}]}'),
            body("[" * 100_000),
            says("  \n"),
            says("x" * 2_000_000),
        ],
    )
    def test_whatever_it_does_wrong_the_talk_sums_itself_up(self, endpoint, model, talk, answer):
        model(deadline_seconds=0.3)
        endpoint.script = [answer]
        summary = summarize()
        assert (summary.text, summary.method) == (summarize_turns(talk), "extractive")
        assert len(endpoint.requests) == 1

    def test_one_that_keeps_failing_is_left_alone_for_a_while(
        self, endpoint, model, talk, monkeypatch
    ):
        now = [0.0]
        monkeypatch.setattr(openai, "Circuit", partial(Circuit, clock=lambda: now[0]))
        model(failures_to_open=2, open_seconds=60)
        endpoint.script = [status(500), status(500), says("Back again.")]
        assert [summarize().method for _ in range(4)] == ["extractive"] * 4
        assert len(endpoint.requests) == 2
        now[0] = 60.0
        assert summarize().text == "Back again."
        assert len(endpoint.requests) == 3

    def test_one_that_is_not_there(self, model, settings, talk):
        settings.SUMMARY_MODEL = ChatOptions("http://127.0.0.1:9", "small")
        assert summarize().method == "extractive"


@pytest.mark.parametrize(
    ("variables", "named"),
    [
        ({"OPENAI_SUMMARY_MODEL": "m"}, "OPENAI_BASE_URL"),
        ({"OPENAI_SUMMARY_MODEL": "m", "OPENAI_BASE_URL": "localhost"}, "OPENAI_BASE_URL"),
        (
            {
                "OPENAI_SUMMARY_MODEL": "m",
                "OPENAI_BASE_URL": "http://localhost/v1",
                "OPENAI_API_KEY": "k\u00fc",
            },
            "OPENAI_API_KEY",
        ),
    ],
)
def test_settings_that_cannot_be_right_stop_the_start(variables, named, tmp_path):
    root = Path(__file__).parents[3]
    tried = subprocess.run(
        [sys.executable, "-c", "import memoryproject.settings"],
        env={"DATA_DIR": str(tmp_path), "PYTHONUTF8": "1"} | variables,
        cwd=root,
        capture_output=True,
        text=True,
    )
    assert tried.returncode != 0
    assert f"ImproperlyConfigured: {named}" in tried.stderr.replace(
        "OPENAI_SUMMARY_MODEL needs an ", ""
    )
