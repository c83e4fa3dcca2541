import tracemalloc
from datetime import UTC, datetime, timedelta

import pytest

from memories.services.filters import Filter, Scope
from memories.services.forget import Deletion, forget_memories
from memories.services.select import Selection, select_memories, select_named
from memories.services.sessions import NewSession, open_sessions, owners_of_sessions
from tests.factories import NEVER_MADE, SESSION, database_now, set_expiry, store

pytestmark = pytest.mark.django_db

DAY = datetime(2026, 1, 31, 8, 30, 45, 123456, UTC)
MICROSECOND = timedelta(microseconds=1)
LIMIT_BYTES = 15 << 20


def filter_of(scope=Scope.SESSION, session_id=SESSION, **conditions):
    owner = owners_of_sessions([session_id]).get(session_id)
    return Filter(scope, session_id, owner, **conditions)


def page_of(limit=10, offset=0, max_bytes=LIMIT_BYTES, order=("created_at", True), **filter_):
    [page] = select_memories(
        [Selection(filter_of(**filter_), limit, offset, *order, max_bytes=max_bytes)]
    )
    return page


def ids_of(page):
    return [memory.memory_id for memory in page.memories]


def selected(**filter_):
    return set(ids_of(page_of(limit=1000, **filter_)))


def open_session(session_id, user_id=""):
    open_sessions([NewSession(b"", DAY, session_id=session_id, user_id=user_id)])


class TestScope:
    @pytest.fixture
    def here(self):
        open_session("s1", "ann")
        open_session("s2", "ann")
        open_session("s12", "bob")
        open_session("alone")
        return {name: store(session_id=name) for name in ("s1", "s2", "s12", "alone")}

    def test_session(self, here):
        assert selected(session_id="s1") == {here["s1"]}
        assert selected(session_id="s") == set()

    def test_user(self, here):
        user = {"scope": Scope.USER}
        assert selected(session_id="s1", **user) == {here["s1"], here["s2"]}
        assert selected(session_id="s12", **user) == {here["s12"]}
        assert selected(session_id="alone", **user) == {here["alone"]}
        assert selected(session_id="unknown", **user) == set()

    def test_all(self, here):
        assert selected(scope=Scope.ALL, session_id="unknown") == set(here.values())


class TestFilters:
    def test_types(self):
        one, two, _ = (store(memory_type=kind) for kind in ("a", "b", "ab"))
        assert selected(memory_types=("a",)) == {one}
        assert selected(memory_types=("a", "b")) == {one, two}

    def test_tags_any_and_all(self):
        both = store(tags=["x", "y"])
        one = store(tags=["x"])
        store(tags=["xy"])
        store()
        assert selected(tags=("x", "y")) == {both, one}
        assert selected(tags=("x", "y"), all_tags=True) == {both}
        assert selected(tags=("z",)) == set()

    def test_times_are_inclusive(self):
        early, late = store(created_at=DAY), store(created_at=DAY + MICROSECOND)
        assert selected(start=DAY) == {early, late}
        assert selected(start=DAY + MICROSECOND) == {late}
        assert selected(end=DAY) == {early}
        assert selected(start=DAY, end=DAY) == {early}
        assert selected(start=DAY + MICROSECOND, end=DAY) == set()

    def test_before_is_exclusive(self):
        early, late = store(created_at=DAY), store(created_at=DAY + MICROSECOND)
        assert selected(before=DAY) == set()
        assert selected(before=DAY + MICROSECOND) == {early}
        assert selected(before=DAY + 2 * MICROSECOND) == {early, late}

    def test_only_what_is_alive(self):
        kept, deleted, expired = store(), store(), store(ttl_seconds=60)
        forget_memories([Deletion(deleted, DAY)])
        set_expiry(expired, database_now())
        assert selected() == {kept}
        assert page_of().total_count == 1
        set_expiry(expired, database_now() + MICROSECOND)
        assert selected() == {kept, expired}


class TestOrder:
    def test_the_newest_come_first(self):
        ids = [store(created_at=DAY + number * MICROSECOND) for number in range(3)]
        assert ids_of(page_of()) == ids[::-1]
        assert ids_of(page_of(order=("created_at", False))) == ids

    def test_numbers_are_not_sorted_as_text(self):
        ids = {number: store(priority=number) for number in (9, 10, 1, 2)}
        assert ids_of(page_of(order=("priority", False))) == [ids[n] for n in (1, 2, 9, 10)]

    def test_no_expiry_sorts_last_either_way(self):
        never, late, soon = store(), store(ttl_seconds=2000), store(ttl_seconds=100)
        assert ids_of(page_of(order=("expires_at", False))) == [soon, late, never]
        assert ids_of(page_of(order=("expires_at", True))) == [late, soon, never]

    @pytest.mark.parametrize("field", ["created_at", "updated_at", "priority", "expires_at"])
    @pytest.mark.parametrize("descending", [True, False])
    def test_pages_over_ties_do_not_overlap(self, field, descending):
        ids = {store(created_at=DAY) for _ in range(7)}
        pages = [page_of(limit=3, offset=n, order=(field, descending)) for n in (0, 3, 6)]
        listed = [an_id for page in pages for an_id in ids_of(page)]
        assert set(listed) == ids
        assert len(listed) == 7


class TestPage:
    def test_counts_all_matches_and_tells_whether_there_are_more(self):
        for _ in range(5):
            store()
        for limit, offset, size, more in (
            (2, 0, 2, True),
            (2, 3, 2, False),
            (5, 0, 5, False),
            (4, 0, 4, True),
            (10, 4, 1, False),
            (2, 5, 0, False),
            (2, 999_999_999, 0, False),
        ):
            page = page_of(limit, offset)
            assert len(page.memories) == size
            assert page.total_count == 5
            assert page.page_info.has_more is more, (limit, offset)

    def test_is_cut_where_it_would_pass_the_reply_limit(self):
        ids = [store("x" * 1000, created_at=DAY + n * MICROSECOND) for n in range(6)]
        first = page_of(max_bytes=10_000, order=("created_at", False))
        assert 0 < len(first.memories) < 6
        assert first.total_count == 6
        assert first.page_info.has_more is True
        rest = page_of(offset=len(first.memories), max_bytes=20_000, order=("created_at", False))
        assert ids_of(first) + ids_of(rest) == ids
        assert rest.page_info.has_more is False

    def test_holds_at_least_one_memory_however_large(self):
        store("x" * 5000)
        assert len(page_of(max_bytes=10).memories) == 1

    def test_counts_what_tags_take_in_json(self):
        """64 tags of 64 control characters take 25 kB, each of them six bytes."""
        for _ in range(3):
            store(tags=["\x01" * 62 + f"{n:02}" for n in range(64)])
        assert len(page_of(max_bytes=60_000).memories) == 2

    def test_of_an_unknown_session_is_empty(self):
        store()
        page = page_of(session_id="unknown")
        assert (page.memories, page.total_count, page.page_info.has_more) == ([], 0, False)


class TestByName:
    def named(self, ids, scope=Scope.ALL, max_bytes=LIMIT_BYTES, **filter_):
        return select_named(ids, filter_of(scope, **filter_), max_bytes)

    def test_in_the_order_asked_for_with_the_missing_ones_listed(self):
        one, two, gone = store("one"), store("two", "other"), store()
        forget_memories([Deletion(gone, DAY)])
        page = self.named([two, NEVER_MADE, one, "foreign", gone, two])
        assert ids_of(page) == [two, one]
        assert page.missing == [NEVER_MADE, "foreign", gone]
        assert page.total_count == 2

    def test_what_a_filter_leaves_out_is_not_missing(self):
        one, two = store(memory_type="a", tags=["x"]), store(memory_type="b")
        page = self.named([one, two, NEVER_MADE], memory_types=("a",), tags=("x",))
        assert ids_of(page) == [one]
        assert page.missing == [NEVER_MADE]

    def test_scope_applies_where_it_is_named(self):
        mine, other = store(), store(session_id="other")
        assert ids_of(self.named([mine, other])) == [mine, other]
        assert ids_of(self.named([mine, other], scope=Scope.SESSION)) == [mine]
        page = self.named([mine], scope=Scope.SESSION, session_id="unknown")
        assert (ids_of(page), page.missing) == ([], [])

    def test_is_cut_at_the_reply_limit(self):
        ids = [store("x" * 1000) for _ in range(6)]
        page = self.named(ids, max_bytes=10_000)
        assert ids_of(page) == ids[: len(page.memories)]
        assert page.page_info.has_more is True
        assert page.total_count == 6

    def test_what_does_not_fit_is_not_read(self):
        """A thousand contents of a megabyte each would fill the memory of the machine."""
        left_out = store("x" * 500_000, memory_type="other")
        ids = [left_out, *(store("x" * 500_000) for _ in range(12))]
        tracemalloc.start()
        try:
            page = self.named(ids, memory_types=("conversation",), max_bytes=600_000)
            _, peak_bytes = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert ids_of(page) == ids[1:2]
        assert (page.total_count, page.missing) == (12, [])
        assert peak_bytes < 4_000_000


def test_selections_of_every_shape_together_give_what_each_gives_alone():
    open_session("s1", "ann")
    for number in range(12):
        store(
            session_id=("s1", SESSION)[number % 2],
            tags=[f"t{number % 3}"],
            priority=number % 10 + 1,
            memory_type=("a", "b")[number % 2],
        )
    selections = [
        Selection(filter_of(scope, session_id, tags=tags), limit, 0, field, descending)
        for scope in Scope
        for session_id in ("s1", SESSION, "unknown")
        for tags in ((), ("t1",), ("t1", "t2"))
        for limit in (1, 3)
        for field, descending in (("created_at", True), ("priority", False))
    ]
    assert select_memories(selections) == [select_memories([one])[0] for one in selections]
