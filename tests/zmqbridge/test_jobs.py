"""Jobs: what failed is tried again, and what takes long does not hold up a stop."""

from threading import Event

import pytest
from django.conf import settings
from django.db import DatabaseError

from memories.models import EmbeddingModel
from memories.services.embedding_models import has_index
from memories.services.store import store_memories
from tests.embedders import embed_all
from tests.factories import new_memory, wait_until
from zmqbridge import jobs
from zmqbridge.accesses import Accesses
from zmqbridge.config import read_config
from zmqbridge.jobs import Job, make_jobs
from zmqbridge.patience import Patience


def test_it_goes_on_after_a_failure(caplog):
    failures = iter([ValueError("of ours"), DatabaseError("away")])
    done = Event()

    def work():
        error = next(failures, None)
        if error:
            raise error
        done.set()
        return False

    job = Job("trial", 0.001, work, Event())
    job.start()
    assert done.wait(10)
    job.stop()
    job.thread.join(10)
    assert job.failures == 2
    assert "of ours" in caplog.text and "away" in caplog.text


def test_a_stop_interrupts_and_is_no_failure(caplog):
    begun, interrupted = Event(), Event()

    def work():
        begun.set()
        assert interrupted.wait(10)
        raise DatabaseError("canceling statement due to user request")

    job = Job("trial", 0.001, work, Event(), interrupted.set)
    job.start()
    assert begun.wait(10)
    job.stop()
    job.thread.join(10)
    assert not job.thread.is_alive()
    assert job.failures == 0
    assert not caplog.records


@pytest.mark.django_db(transaction=True)
def test_many_vectors_get_their_index_without_anybody_asking(transactional_db, trial, monkeypatch):
    monkeypatch.setattr("memories.services.vector_index.EXACT_UP_TO", 50)
    monkeypatch.setattr(jobs, "_INDEX_SECONDS", 0.01)
    store_memories([new_memory(str(number)) for number in range(60)])
    embed_all()
    model = EmbeddingModel.objects.get()
    made = {job.name: job for job in all_jobs()}
    made["vector-index"].start()
    wait_until(lambda: has_index(model.id))
    made["vector-index"].stop()
    made["vector-index"].thread.join(10)
    assert made["vector-index"].failures == 0


def all_jobs():
    return make_jobs(
        read_config(settings),
        accesses=Accesses(),
        patience=Patience(1, Event()),
        report=lambda: None,
        count_writes=lambda: 0,
    )
