"""Background work gives way to writes, and stops when it is told."""

import itertools
from threading import Event

import pytest

from memories.models import Embedding
from memories.services.embedding.tasks import embed_tasks
from memories.services.store import store_memories
from tests.factories import new_memory, store
from zmqbridge.giving_way import GivingWay

pytestmark = pytest.mark.django_db


def embed_some():
    return embed_tasks() > 0


class Pauses(Event):
    """`stopping`, which notes how long it was waited for."""

    def __init__(self):
        super().__init__()
        self.seconds = []

    def wait(self, timeout=None):
        self.seconds.append(timeout)
        return super().wait(timeout)


def test_it_goes_on_while_there_may_be_more(trial):
    store_memories([new_memory(str(number)) for number in range(10)])
    pauses = Pauses()
    work = GivingWay(embed_some, lambda: 0, lambda: 0, pauses)
    assert [work(), work(), work(), work()] == [True, True, True, False]
    assert Embedding.objects.count() == 10
    assert pauses.seconds == []


@pytest.mark.parametrize(("each_look", "waiting"), [(1000, 0), (0, 1)])
def test_it_takes_a_tenth_of_the_time_while_writes_come_or_wait(trial, each_look, waiting):
    store("words")
    writes = itertools.count(step=each_look)
    pauses = Pauses()
    trial.before = lambda _: Event().wait(0.02)
    GivingWay(embed_some, lambda: next(writes), lambda: waiting, pauses)()
    assert sum(pauses.seconds) >= 9 * 0.02 - 0.001


def test_a_pause_ends_with_the_writes(trial):
    store("words")
    writes = itertools.chain([0, 1000], itertools.repeat(1000))
    pauses = Pauses()
    trial.before = lambda _: Event().wait(0.2)
    GivingWay(embed_some, lambda: next(writes), lambda: 0, pauses)()
    assert len(pauses.seconds) == 1


def test_it_does_nothing_without_a_model(db):
    store("words")
    assert GivingWay(embed_some, lambda: 0, lambda: 0, Event())() is False
