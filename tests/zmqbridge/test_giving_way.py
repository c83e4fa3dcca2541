"""Background work gives way to writes, and stops when it is told."""

from threading import Event

import pytest

from memories.models import Embedding
from memories.services.store import store_memories
from tests.factories import new_memory, store
from zmqbridge.giving_way import GivingWay
from zmqbridge.jobs import embed_some

pytestmark = pytest.mark.django_db


class Pauses(Event):
    """`stopping`, which notes how long it would have waited."""

    def __init__(self):
        super().__init__()
        self.seconds = []

    def wait(self, timeout=None):
        self.seconds.append(timeout)
        return self.is_set()


def test_it_goes_on_while_there_may_be_more(trial):
    store_memories([new_memory(str(number)) for number in range(10)])
    pauses = Pauses()
    work = GivingWay(embed_some, lambda: 0, pauses)
    assert [work(), work(), work()] == [True, True, False]
    assert Embedding.objects.count() == 10
    assert pauses.seconds == []


def test_it_takes_a_tenth_of_the_time_while_writes_wait(trial):
    store("words")
    writes = iter([0, 1000])
    pauses = Pauses()
    trial.before = lambda _: Event().wait(0.02)
    GivingWay(embed_some, lambda: next(writes), pauses)()
    [seconds] = pauses.seconds
    assert seconds >= 9 * 0.02


def test_it_does_nothing_without_a_model(db):
    store("words")
    assert GivingWay(embed_some, lambda: 0, Event())() is False
