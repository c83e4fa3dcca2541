"""Tasks, claims and vectors: what two workers, the dead ones and the failing ones may not break."""

from datetime import UTC, datetime
from functools import partial
from threading import Event

import numpy as np
import pytest
from django.db import transaction

from memories.changes import rows
from memories.embedders.errors import EmbedderUnavailable, InvalidAnswer, TextsRefused
from memories.models import Embedding, EmbeddingTask, MemoryEntry
from memories.services.embedding.tasks import (
    MAX_ATTEMPTS,
    Wanted,
    claim_tasks,
    embed_tasks,
    keep_outcomes,
    make_vectors,
    text_to_embed,
)
from memories.services.forget import Deletion, forget_memories
from memories.services.restore import restore_memories
from memories.services.revise import Revision, revise_memories
from memories.services.store import store_memories
from tests.embedders import TrialEmbedder, embed_all, stored_model
from tests.factories import (
    WAITING_FOR_A_ROW,
    new_memory,
    other_connection,
    run_together,
    store,
    wait_until,
)

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 1, 31, tzinfo=UTC)


def change(an_id, text):
    revise_memories([Revision(an_id, NOW, content_json=f'{{"text":"{text}"}}'.encode())])


def delete(an_id):
    forget_memories([Deletion(an_id, NOW)])


def vectors():
    return {row.memory_id: row.embedding for row in Embedding.objects.all()}


def let_all_be_due():
    EmbeddingTask.objects.update(due_at=NOW)


def vector_of(embedder, text):
    return pytest.approx(embedder.embed_queries([text])[0], abs=1e-6)


@pytest.mark.parametrize(
    ("speaker", "text", "embedded"),
    [
        ("Ann", "I like tea", "Ann: I like tea"),
        ("Ann", "Ann: I like tea", "Ann: I like tea"),
        ("", "I like tea", "I like tea"),
    ],
)
def test_what_is_embedded_says_who_spoke(speaker, text, embedded):
    assert text_to_embed(speaker, text) == embedded


def test_what_is_stored_is_embedded_in_one_call(trial):
    ids = [store("one"), store("two"), store("")]
    assert embed_tasks(16) == 2
    assert trial.calls == [["one", "two"]]
    assert vectors() == {
        an_id: vector_of(trial, text) for an_id, text in zip(ids, ("one", "two"), strict=False)
    }
    assert embed_tasks(16) == 0
    assert not EmbeddingTask.objects.exists()


def test_the_newest_text_alone_is_embedded(trial):
    an_id = store("one")
    for text in ("two", "three"):
        change(an_id, text)
    assert embed_tasks(16) == 1
    assert vectors() == {an_id: vector_of(trial, "three")}
    change(an_id, "")
    assert vectors() == {}
    assert not EmbeddingTask.objects.exists()


def test_a_memory_in_two_tasks_harms_nobody(trial):
    """An update, a restore and a fill can meet."""
    twice, other = store("twice"), store("other")
    task = EmbeddingTask.objects.get(memory_id=twice)
    task.pk = None
    task.save(force_insert=True)
    embed_all()
    assert vectors().keys() == {twice, other}
    assert not EmbeddingTask.objects.exists()


@pytest.mark.parametrize(
    "meanwhile",
    [
        lambda an_id: change(an_id, "new"),
        delete,
        lambda an_id: (delete(an_id), change(an_id, "new")),
        lambda an_id: MemoryEntry.all_objects.filter(id=an_id).hard_delete(),
    ],
    ids=["changed", "deleted", "deleted and changed", "purged"],
)
def test_no_vector_is_kept_of_what_was_said_before(trial, meanwhile):
    an_id, other = store("old"), store("other")
    trial.before = lambda _: meanwhile(an_id)
    assert embed_tasks(16) == 2
    assert vectors().keys() == {other}
    trial.before = lambda _: None
    embed_all()
    assert vectors().get(an_id) in (None, vector_of(trial, "new"))


def test_deleting_forgets_the_vector_and_restoring_makes_it_anew(trial):
    an_id = store("words")
    embed_all()
    delete(an_id)
    assert vectors() == {}
    restore_memories([an_id], NOW)
    embed_all()
    assert vectors() == {an_id: vector_of(trial, "words")}


def test_what_is_deleted_waits_for_nothing(trial):
    delete(store("words"))
    assert not EmbeddingTask.objects.exists()


def test_what_a_retired_model_makes_is_not_kept(trial):
    store("words")

    def retire(_):
        rows("UPDATE embedding_models SET state = 'retired'")

    trial.before = retire
    embed_tasks(16)
    assert vectors() == {}


def test_a_claim_is_left_alone_until_it_is_over(trial):
    an_id = store("words")
    [claimed] = claim_tasks(wanted(), 16)
    assert embed_tasks(16) == 0
    let_all_be_due()  # its process must have died
    assert embed_tasks(16) == 1
    assert vectors().keys() == {an_id}
    keep_outcomes(make_vectors([claimed], trial))  # it was slow, not dead
    assert vectors().keys() == {an_id}


def wanted():
    return Wanted(list(EmbeddingTask.objects.values_list("model_id", flat=True).distinct()))


class TestFailures:
    def test_a_text_that_fails_harms_no_other_and_waits_longer_each_time(self, trial):
        good, bad = store("good"), store("bad")

        def refuse(texts):
            if "bad" in texts:
                raise TextsRefused("No such text.")

        trial.before = refuse
        waits = []
        for _ in range(MAX_ATTEMPTS):
            assert embed_tasks(16) > 0
            task = EmbeddingTask.objects.get()
            [(seconds,)] = rows(
                "SELECT extract(epoch FROM due_at - now())::int FROM embedding_tasks"
            )
            waits.append(seconds)
            let_all_be_due()
        assert vectors().keys() == {good}
        assert waits == [4, 16, 64, 256, 0]
        assert (task.memory_id, task.attempts) == (bad, MAX_ATTEMPTS)
        assert task.error == "TextsRefused: No such text."
        assert embed_tasks(16) == 0  # set aside

    @pytest.mark.parametrize(
        "error",
        [
            EmbedderUnavailable("The endpoint is away."),
            InvalidAnswer("The embedding endpoint answered with HTTP 401."),
            TextsRefused("The embedding endpoint refused the texts with HTTP 400."),
            RuntimeError("out of memory"),
        ],
        ids=lambda error: type(error).__name__,
    )
    def test_an_outage_of_whatever_kind_sets_nothing_aside(self, trial, error):
        store("words")
        store("more words")

        def fail(_):
            raise error

        trial.before = fail
        for _ in range(3 * MAX_ATTEMPTS):
            assert embed_tasks(1) == 0
            let_all_be_due()
        assert set(EmbeddingTask.objects.values_list("attempts", flat=True)) == {0}
        [(seconds,)] = rows(
            "SELECT max(extract(epoch FROM due_at - now()))::int FROM embedding_tasks"
        )
        assert seconds <= 30
        trial.before = lambda _: None
        assert embed_tasks(1) == 1
        assert len(vectors()) == 1

    def test_what_a_library_raises_is_blamed_on_the_text_that_made_it(self, trial, caplog):
        good, _ = store("good"), store("bad")

        def fail(texts):
            if "bad" in texts:
                raise RuntimeError("tensor\0shape")

        trial.before = fail
        assert embed_tasks(16) == 2
        assert vectors().keys() == {good}
        assert EmbeddingTask.objects.get().error == "RuntimeError: tensorshape"
        assert "The embedder failed" in caplog.text

    @pytest.mark.parametrize(
        "lie",
        [lambda v: v[:-1], lambda v: np.concatenate([v, v]), lambda v: v[:, :-1]],
        ids=["too few", "too many", "too short"],
    )
    def test_a_wrong_number_of_vectors_is_kept_by_no_memory(self, trial, lie):
        store("one")
        store("two")
        trial.after = lie
        assert embed_tasks(16) == 0
        assert vectors() == {}
        assert set(EmbeddingTask.objects.values_list("attempts", flat=True)) == {0}
        trial.after = lambda vectors: vectors
        let_all_be_due()
        embed_all()
        assert len(vectors()) == 2

    def test_the_tasks_of_a_model_that_is_set_up_otherwise_here_are_left_alone(
        self, trial, embedders
    ):
        """Another process fills it; vectors made here would be of another model."""
        other = stored_model(TrialEmbedder(name="other"), "openai")
        embedders["openai"] = TrialEmbedder(name="not the other")
        store("words")
        embed_all()
        [task] = EmbeddingTask.objects.all()
        assert (task.model_id, task.attempts) == (other.id, 0)
        assert len(vectors()) == 1


@pytest.mark.django_db(transaction=True)
class TestTwoAtOnce:
    def test_two_workers_never_do_the_same_work(self, transactional_db, trial):
        store_memories([new_memory(f"word {number}") for number in range(300)])
        run_together([embed_all] * 2)
        texts = [text for call in trial.calls for text in call]
        assert len(texts) == len(set(texts)) == 300
        assert Embedding.objects.count() == 300
        assert not EmbeddingTask.objects.exists()

    def test_an_update_is_not_held_up_by_a_model_at_work(self, transactional_db, trial):
        an_id = store("old")
        at_work, go_on = Event(), Event()

        def wait(texts):
            at_work.set()
            assert go_on.wait(10)

        def update():
            assert at_work.wait(10)
            change(an_id, "new")
            trial.before = lambda _: None
            go_on.set()

        trial.before = wait
        run_together([lambda: embed_tasks(16), update])
        assert vectors() == {}
        embed_all()
        assert vectors() == {an_id: vector_of(trial, "new")}

    def test_who_keeps_vectors_waits_for_no_change(self, transactional_db, trial):
        """Two that hold rows and wait for the other's are a deadlock."""
        first, second = sorted([store("one"), store("two")])
        outcomes = make_vectors(claim_tasks(Wanted([stored_model(trial).id]), 2), trial)
        changed, kept = Event(), Event()

        def change_both():
            with transaction.atomic():
                revise_memories([Revision(second, NOW, priority=9)])
                changed.set()
                assert kept.wait(10)
                revise_memories([Revision(first, NOW, priority=9)])

        def keep():
            assert changed.wait(10)
            keep_outcomes(outcomes)
            kept.set()

        run_together([change_both, keep])
        assert vectors().keys() == {first}
        let_all_be_due()
        embed_all()
        assert vectors().keys() == {first, second}

    @pytest.mark.parametrize("make_change", [delete, partial(change, text="")])
    def test_a_vector_kept_while_its_memory_changes_is_removed(
        self, transactional_db, trial, make_change
    ):
        """The change waits for the one who keeps it, and does not see it in its own statement."""
        an_id = store("word")
        outcomes = make_vectors(claim_tasks(Wanted([stored_model(trial).id]), 1), trial)
        kept = Event()

        def keep():
            with transaction.atomic():
                keep_outcomes(outcomes)
                kept.set()
                with other_connection() as other:
                    wait_until(lambda: other.execute(WAITING_FOR_A_ROW).fetchall())

        def change_meanwhile():
            assert kept.wait(10)
            make_change(an_id)

        run_together([keep, change_meanwhile])
        assert vectors() == {}
