"""`manage.py embedding_models`, as an administrator uses it."""

from datetime import UTC, datetime
from io import StringIO

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from memories.embedders.errors import TextsRefused
from memories.embedders.given import GivenEmbedder
from memories.management.commands import embedding_models as command
from memories.models import Embedding, EmbeddingModel, EmbeddingTask, Orchestrator
from memories.services.embedding import fill_run
from memories.services.embedding.models import serving
from memories.services.embedding.tasks import MAX_ATTEMPTS, embed_tasks
from memories.services.embedding.vector_index import has_index
from memories.services.store import store_memories
from tests.embedders import TrialEmbedder, embed_all, stored_model
from tests.factories import new_memory, run_together, store, wait_until

pytestmark = pytest.mark.django_db


def run(*arguments):
    out = StringIO()
    call_command("embedding_models", *arguments, stdout=out)
    return out.getvalue()


def refusal(*arguments):
    with pytest.raises(CommandError) as refused:
        run(*arguments)
    assert "\n" not in str(refused.value)
    return str(refused.value)


def state(name):
    return EmbeddingModel.objects.get(name=name).state


@pytest.fixture
def stored(trial):
    """Thirty memories with vectors of the active model."""
    memories = store_memories([new_memory(f"word {number}") for number in range(30)])
    embed_all()
    return [memory.memory_id for memory in memories]


@pytest.fixture
def new(embedders):
    """What EMBEDDER calls e5 here."""
    embedders["e5"] = TrialEmbedder(16, "new")
    return embedders["e5"]


def test_add_activate_and_the_way_back(stored, new):
    assert "new/1 is ready and filled" in run("add", "e5", "--embed")
    assert Embedding.objects.filter(model__name="new/1").count() == 30
    assert serving().embedder.name == "trial"
    assert "EMBEDDER=e5" in run("activate", "new/1")
    assert serving().embedder is new
    assert state("trial/1") == "ready"
    run("activate", "trial/1")
    assert (state("trial/1"), state("new/1")) == ("active", "ready")
    assert "already" in run("activate", "trial/1")


def test_adding_again_does_only_what_lacks(stored, new):
    new.before = stop_after(1)
    assert "goes on from here" in refusal("add", "e5", "--embed")
    done = Embedding.objects.filter(model__name="new/1").count()
    assert 0 < done < 30
    assert state("new/1") == "filling"
    EmbeddingTask.objects.update(due_at=datetime(2026, 1, 1, tzinfo=UTC))  # claimed as it stopped
    new.before, new.calls = (lambda _: None), []
    run("add", "e5", "--embed")
    assert sum(map(len, new.calls)) == 30 - done
    assert state("new/1") == "ready"


def stop_after(calls):
    left = iter(range(calls))

    def stop(_):
        if next(left, None) is None:
            raise KeyboardInterrupt

    return stop


def test_what_is_stored_while_it_is_filled_is_filled_too(stored, new):
    new.before = lambda _: (setattr(new, "before", lambda _: None), store("said meanwhile"))
    run("add", "e5", "--embed")
    assert Embedding.objects.filter(model__name="new/1").count() == 31


def test_the_rate_is_kept(stored, new, monkeypatch):
    clock = Clock()
    monkeypatch.setattr(fill_run, "time", clock)
    monkeypatch.setattr(fill_run, "Event", clock.event)
    run("add", "e5", "--embed", "--rate", "10")
    assert Embedding.objects.filter(model__name="new/1").count() == 30
    assert 2.9 <= clock.now <= 4


class Clock:
    """Time that passes only while somebody waits."""

    def __init__(self):
        self.now = 0.0

    def monotonic(self):
        return self.now

    def event(self):
        return self

    def wait(self, seconds):
        self.now += seconds


def test_it_is_refused_where_nobody_would_make_the_vectors(stored, new):
    assert "--embed" in refusal("add", "e5")
    assert "--rate" in refusal("add", "e5", "--embed", "--rate", "-1")


@pytest.mark.django_db(transaction=True)
def test_an_orchestrator_makes_the_vectors_and_searches_go_on(transactional_db, stored, new):
    now = datetime.now(UTC)
    Orchestrator.objects.create(instance="one", started_at=now, seen_at=now)

    def embed():
        wait_until(lambda: EmbeddingTask.objects.exists())
        wait_until(lambda: not embed_tasks(8) and not EmbeddingTask.objects.exists())

    said, _ = run_together([lambda: run("add", "e5"), embed])
    assert "ready and filled" in said


def test_what_could_not_be_embedded_is_told_and_refuses_the_switch(stored, new):
    bad = store("bad")
    embed_all()

    def refuse(texts):
        EmbeddingTask.objects.filter(attempts__gt=0).update(attempts=MAX_ATTEMPTS)
        if "bad" in texts:
            raise TextsRefused("No such text.")

    new.before = refuse
    stored_model(new, "e5")
    fill_run.fill_model(EmbeddingModel.objects.get(name="new/1"), "", 100)
    embed_all()
    EmbeddingTask.objects.update(due_at=datetime(2026, 1, 1, tzinfo=UTC))
    assert "1 memories could not be embedded" in run("add", "e5", "--embed")
    assert f"set aside: {bad} by new/1: TextsRefused: No such text." in run("list")
    assert "1 of 31 memories lack its vector (0 queued, 1 failed)" in refusal("activate", "new/1")
    new.before = lambda _: None
    assert "1 tasks are back" in run("list", "--retry-failed")
    embed_all()
    run("activate", "new/1")
    assert state("new/1") == "active"


def test_one_that_is_not_filled_is_activated_by_force_alone(stored, new):
    stored_model(new, "e5")
    said = refusal("activate", "new/1")
    assert "30 of 30 memories lack its vector" in said and "--force" in said
    run("activate", "new/1", "--force")
    assert state("new/1") == "active"


def test_an_index_is_built_before_the_switch(transactional_db, stored, new, monkeypatch):
    monkeypatch.setattr("memories.services.embedding.vector_index.EXACT_UP_TO", 10)
    run("add", "e5", "--embed")
    assert has_index(EmbeddingModel.objects.get(name="new/1").id)


def test_retire_frees_what_it_held(transactional_db, stored, new, monkeypatch):
    monkeypatch.setattr(command, "LOOK_AGAIN_SECONDS", 0)
    run("add", "e5", "--embed")
    assert "activate another model first" in refusal("retire", "trial/1")
    run("activate", "new/1")
    assert "retired" in run("retire", "trial/1")
    assert not Embedding.objects.filter(model__name="trial/1").exists()
    assert Embedding.objects.count() == 30
    assert "add hashing" in refusal("activate", "trial/1")
    store("later")
    embed_all()
    assert not Embedding.objects.filter(model__name="trial/1").exists()
    run("add", "hashing", "--embed")  # it can come back
    assert Embedding.objects.filter(model__name="trial/1").count() == 31


def test_a_model_of_given_vectors_is_filled_by_clients(stored, embedders):
    embedders["given"] = GivenEmbedder(8)
    assert "clients fill it" in run("add", "given")
    assert not EmbeddingTask.objects.filter(model__name="given-8/1").exists()
    run("activate", "given-8/1", "--force")
    assert state("given-8/1") == "active"


def test_an_unknown_name_is_answered_with_the_known_ones(stored):
    assert refusal("activate", "nothing") == "There is no model 'nothing'; known are: trial/1."
    assert "known are: trial/1" in refusal("retire", "nothing")


def test_list_shows_each_model_with_its_state(stored, new):
    stored_model(new, "e5")
    lines = run("list").splitlines()
    assert any("trial/1" in line and "active" in line and " 30 " in line for line in lines)
    assert any("new/1" in line and "filling" in line for line in lines)
