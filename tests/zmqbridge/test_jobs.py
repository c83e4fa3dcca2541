"""Jobs: what failed is tried again, and what takes long does not hold up a stop."""

from datetime import timedelta
from threading import Event

import pytest
from django.conf import settings
from django.db import DatabaseError
from django.utils import timezone

from memories.models import AgentState, EmbeddingModel, Erasure, Orchestrator, Session
from memories.services.embedding.vector_index import has_index
from memories.services.proofs import ProofFile
from memories.services.sessions import owners_of_opened_sessions
from memories.services.store import store_memories
from tests.embedders import embed_all
from tests.factories import new_memory, wait_until
from zmqbridge import jobs
from zmqbridge.accesses import Accesses
from zmqbridge.config import read_config
from zmqbridge.jobs import Job, make_jobs
from zmqbridge.patience import Patience
from zmqbridge.purge_job import PurgeWork


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
    monkeypatch.setattr("memories.services.embedding.vector_index.EXACT_UP_TO", 50)
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
        count_waiting=lambda: 0,
        measure=None,
    )


def test_the_purge_drops_what_is_long_over_and_nothing_else(db, tmp_path):
    long_ago, now = timezone.now() - timedelta(days=30), timezone.now()
    for instance, seen_at in (("gone", long_ago), ("here", now)):
        Orchestrator.objects.create(
            instance=instance, version="0", started_at=long_ago, seen_at=seen_at
        )
    owners_of_opened_sessions(["kitchen"], long_ago)
    session = Session.objects.get(id="kitchen")
    for agent_id, expires_at in (("over", long_ago), ("lives", now + timedelta(days=1))):
        AgentState.objects.create(
            owner_id=session.owner_id,
            session=session,
            agent_id=agent_id,
            state={},
            updated_at=long_ago,
            expires_at=expires_at,
        )
    Erasure.objects.create(
        id="e", owner_digest="d", counts={"sessions": 1}, erased_at=now, erased_by="another"
    )
    file = ProofFile(tmp_path)
    purge = PurgeWork(settings.AGES, file)
    while purge():
        pass
    assert [proof.id for proof in file.read()] == ["e"]
    assert [row.instance for row in Orchestrator.objects.all()] == ["here"]
    assert [state.agent_id for state in AgentState.objects.all()] == ["lives"]
