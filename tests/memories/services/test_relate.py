from datetime import UTC, datetime
from itertools import pairwise

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from memories.errors import MemoryNotFound, ValidationFailed
from memories.models import Relationship
from memories.services import relate as relate_module
from memories.services.forget import Deletion, forget_memories
from memories.services.relate import NewTie, Tie, find_related, relate_memories, unrelate_memories
from tests.factories import NEVER_MADE, database_now, set_expiry, store

pytestmark = pytest.mark.django_db

DAY = datetime(2026, 1, 31, tzinfo=UTC)
LATER = datetime(2026, 2, 28, tzinfo=UTC)


def tie(source_id, target_id, kind="about", strength=1.0, metadata="{}", at=DAY):
    [result] = relate_memories([NewTie(Tie(source_id, target_id, kind), at, strength, metadata)])
    return result


def delete(memory_id):
    forget_memories([Deletion(memory_id, DAY)])


def related(memory_id, depth=1, kind=None):
    """(text, depth) of what is found, in its order."""
    found = find_related(memory_id, kind, depth).memories
    return [(bytes(one.content).decode()[10:-2], one.depth) for one in found]


@pytest.fixture
def chain():
    """Five memories, each tied to the next."""
    ids = [store(text) for text in "abcde"]
    for source_id, target_id in pairwise(ids):
        tie(source_id, target_id)
    return ids


class TestRelate:
    def test_answers_with_the_relationship_as_it_is_kept(self):
        source_id, target_id = store(), store()
        seen = tie(source_id, target_id, "about", 0.25, '{"n": 1.10, "m": 12345678901234567890123}')
        assert (seen.source_id, seen.target_id) == (source_id, target_id)
        assert (seen.relationship_type, seen.strength, seen.created_at) == ("about", 0.25, DAY)
        assert bytes(seen.metadata) == b'{"m": 12345678901234567890123, "n": 1.10}'

    def test_twice_replaces_strength_and_metadata(self):
        source_id, target_id = store(), store()
        tie(source_id, target_id, strength=0.25, metadata='{"a": 1}')
        seen = tie(source_id, target_id, strength=0.5, metadata='{"b": 2}', at=LATER)
        assert (seen.strength, bytes(seen.metadata), seen.created_at) == (0.5, b'{"b": 2}', DAY)
        assert Relationship.objects.count() == 1

    def test_type_and_direction_make_another_relationship(self):
        source_id, target_id = store(), store()
        tie(source_id, target_id)
        tie(source_id, target_id, "after")
        tie(target_id, source_id)
        assert Relationship.objects.count() == 3

    def test_both_have_to_be_alive(self):
        alive, deleted, expired = store(), store(), store()
        delete(deleted)
        set_expiry(expired, database_now())
        for gone in (deleted, expired, NEVER_MADE, "mem-foreign"):
            for ends in ((alive, gone), (gone, alive)):
                error = tie(*ends)
                assert isinstance(error, MemoryNotFound)
                assert error.details["memory_id"] == gone

    def test_two_owners_are_not_tied(self):
        error = tie(store(), store(session_id="another"))
        assert isinstance(error, ValidationFailed)
        assert error.details["field"] == "payload.target_id"
        assert not Relationship.objects.exists()

    def test_one_that_is_refused_costs_the_others_nothing(self):
        a, b = store(), store()
        good, bad = NewTie(Tie(a, b, "t"), DAY), NewTie(Tie(a, NEVER_MADE, "t"), DAY)
        results = relate_memories([bad, good])
        assert isinstance(results[0], MemoryNotFound)
        assert results[1].target_id == b

    def test_many_take_as_many_statements_as_one(self):
        ids = [store() for _ in range(6)]
        ties = [NewTie(Tie(ids[0], target_id, "t"), DAY) for target_id in ids[1:]]
        with CaptureQueriesContext(connection) as one:
            relate_memories(ties[:1])
        with CaptureQueriesContext(connection) as many:
            relate_memories(ties)
        assert len(many) == len(one)


class TestUnrelate:
    def test_removes_that_one_alone(self):
        a, b = store(), store()
        for kind in ("about", "after"):
            tie(a, b, kind)
        [removed, not_there] = unrelate_memories([Tie(a, b, "about"), Tie(a, b, "never")])
        assert (removed.removed, not_there.removed) == (True, False)
        assert [left.relationship_type for left in Relationship.objects.all()] == ["after"]

    def test_of_what_is_gone_is_refused(self):
        a, b = store(), store()
        tie(a, b)
        delete(b)
        [error] = unrelate_memories([Tie(a, b, "about")])
        assert error.details == {"memory_id": b}
        assert Relationship.objects.exists()


class TestRelated:
    def test_goes_as_deep_as_asked(self, chain):
        assert related(chain[0]) == [("b", 1)]
        assert related(chain[0], 2) == [("b", 1), ("c", 2)]
        assert related(chain[0], 3) == [("b", 1), ("c", 2), ("d", 3)]
        assert related(chain[4], 3) == []

    def test_follows_ties_outwards_alone(self, chain):
        assert related(chain[2], 3) == [("d", 1), ("e", 2)]

    def test_ends_in_a_circle(self, chain):
        tie(chain[2], chain[0])
        tie(chain[1], chain[0])
        assert related(chain[0], 3) == [("b", 1), ("c", 2), ("d", 3)]

    def test_each_comes_once_by_its_shortest_way(self, chain):
        tie(chain[0], chain[2], strength=0.5)
        assert related(chain[0], 3) == [("b", 1), ("c", 1), ("d", 2), ("e", 3)]

    def test_the_strongest_tie_is_told_and_the_strongest_come_first(self):
        start, weak, strong = store("start"), store("weak"), store("strong")
        tie(start, weak, "a", 0.1)
        tie(start, weak, "b", 0.4)
        tie(start, weak, "c", 0.2)
        tie(start, strong, "a", 0.9)
        first, second = find_related(start, None, 1).memories
        assert (first.memory_id, first.strength) == (strong, 0.9)
        assert (second.memory_id, second.relationship_type, second.strength) == (weak, "b", 0.4)

    def test_of_one_type_alone(self, chain):
        tie(chain[0], chain[3], "after")
        tie(chain[3], chain[4], "after")
        assert related(chain[0], 3, "after") == [("d", 1), ("e", 2)]
        [found, _] = find_related(chain[0], "after", 2).memories
        assert found.relationship_type == "after"

    @pytest.mark.parametrize("gone", ["deleted", "expired"])
    def test_what_is_gone_is_neither_found_nor_passed_through(self, chain, gone):
        if gone == "deleted":
            delete(chain[1])
        else:
            set_expiry(chain[1], database_now())
        assert related(chain[0], 3) == []
        with pytest.raises(MemoryNotFound):
            find_related(chain[1], None, 1)

    def test_where_it_begins_has_to_be_there(self):
        for memory_id in (NEVER_MADE, "mem-foreign"):
            with pytest.raises(MemoryNotFound):
                find_related(memory_id, None, 1)

    def test_many_ways_to_the_same_cost_no_more_than_their_ties(self):
        """Each of 40 tied to each of 40, three levels deep: 64,000 ways, 3,240 ties."""
        start, *levels = [store("start")], *([store() for _ in range(40)] for _ in range(3))
        for sources, targets in pairwise([start, *levels]):
            relate_memories([NewTie(Tie(s, t, "t"), DAY) for s in sources for t in targets])
        found = find_related(start[0], None, 3)
        assert [one.depth for one in found.memories] == [1] * 40 + [2] * 40 + [3] * 40

    def test_is_bounded_in_number_and_in_bytes(self, monkeypatch):
        start, *others = (store("x" * 1000) for _ in range(6))
        relate_memories([NewTie(Tie(start, other, "t"), DAY) for other in others])
        assert not find_related(start, None, 1).has_more
        few = find_related(start, None, 1, max_bytes=7000)
        assert (len(few.memories), few.has_more) == (2, True)
        monkeypatch.setattr(relate_module, "MAX_RELATED", 3)
        found = find_related(start, None, 1)
        assert (len(found.memories), found.has_more) == (3, True)
