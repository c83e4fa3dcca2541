import time

import pytest

from tests.factories import trusted_cache
from zmqbridge.cache import ReadCache


@pytest.fixture
def clock(monkeypatch):
    """A list with the time that caches see."""
    moments = [1000.0]
    monkeypatch.setattr("zmqbridge.cache._now", lambda: moments[0])
    return moments


def test_time_passes_while_the_machine_sleeps(monkeypatch):
    """CLOCK_MONOTONIC stands still then, and what expired meanwhile would be answered."""
    cache = trusted_cache()
    fill(cache, "a", expires_in_seconds=600)
    assert cache.get("a")
    awake = time.clock_gettime
    monkeypatch.setattr(
        "time.clock_gettime",
        lambda clock: awake(clock) + (3600 if clock == time.CLOCK_BOOTTIME else 0),
    )
    assert cache.get("a") is None


def fill(cache, memory_id, body=b"body", expires_in_seconds=None):
    cache.fill(cache.mark(), memory_id, body, expires_in_seconds)


class TestBounds:
    def test_the_entry_used_least_lately_goes_first(self):
        cache = trusted_cache(entries=2)
        fill(cache, "a")
        fill(cache, "b")
        assert cache.get("a")
        fill(cache, "c")
        assert cache.get("a")
        assert cache.get("c")
        assert cache.get("b") is None

    def test_bytes_are_bounded_too(self):
        cache = trusted_cache(max_bytes=10)
        fill(cache, "a", b"1234")
        fill(cache, "b", b"1234")
        fill(cache, "c", b"1234")
        assert cache.get("a") is None
        assert cache.report()["bytes"] == 8
        fill(cache, "b", b"12")
        assert cache.report()["bytes"] == 6
        fill(cache, "huge", b"x" * 11)
        assert cache.get("huge") is None
        assert cache.report()["bytes"] == 0

    def test_no_entries_at_all(self):
        cache = trusted_cache(entries=0)
        fill(cache, "a")
        assert cache.get("a") is None

    def test_an_entry_is_kept_for_its_time_at_most(self, clock):
        cache = trusted_cache(ttl_seconds=5)
        fill(cache, "a")
        clock[0] += 4.9
        assert cache.get("a")
        clock[0] += 0.2
        assert cache.get("a") is None

    def test_an_expiring_memory_leaves_before_it_expires(self, clock):
        cache = trusted_cache()
        fill(cache, "a", expires_in_seconds=0.4)
        clock[0] += 0.1
        assert cache.get("a")
        clock[0] += 0.1
        assert cache.get("a") is None
        fill(cache, "b", expires_in_seconds=0.2)
        assert cache.get("b") is None

    def test_the_time_between_select_and_fill_counts(self):
        """A process may stand still there; the memory expires all the same."""
        cache = trusted_cache()
        mark = cache.mark()._replace(at=time.monotonic() - 0.5)
        cache.fill(mark, "a", b"body", 0.6)
        assert cache.get("a") is None


class TestForgetting:
    def test_what_was_changed_is_not_answered(self):
        cache = trusted_cache()
        fill(cache, "a")
        fill(cache, "b")
        cache.forget(["a", "unknown"])
        assert cache.get("a") is None
        assert cache.get("b")

    def test_a_fill_that_began_before_the_change_is_refused(self):
        cache = trusted_cache()
        mark = cache.mark()
        cache.forget(["a"])
        cache.fill(mark, "a", b"old", None)
        cache.fill(mark, "b", b"untouched", None)
        assert cache.get("a") is None
        assert cache.get("b")
        fill(cache, "a", b"new")
        assert cache.get("a") == b"new"

    def test_so_is_one_older_than_what_is_remembered_of_changes(self, monkeypatch):
        monkeypatch.setattr("zmqbridge.cache._REMEMBERED_CHANGES", 2)
        cache = trusted_cache()
        mark = cache.mark()
        cache.forget(["a"])
        cache.forget(["b", "c"])
        cache.fill(mark, "a", b"old", None)
        assert cache.get("a") is None
        fill(cache, "a")
        assert cache.get("a")

    def test_everything(self):
        cache = trusted_cache()
        fill(cache, "a")
        mark = cache.mark()
        cache.forget_all()
        cache.fill(mark, "b", b"old", None)
        assert cache.get("a") is None
        assert cache.get("b") is None
        assert cache.report()["bytes"] == 0


class TestTrust:
    def test_it_ends_by_itself(self, clock):
        cache = trusted_cache()
        cache.trust(1.25)
        fill(cache, "a")
        clock[0] += 1.2
        assert cache.get("a")
        clock[0] += 0.1
        assert cache.get("a") is None
        assert not cache.report()["trusted"]
        cache.trust(60)
        assert cache.get("a") is None

    def test_while_it_goes_on_nothing_is_lost(self):
        cache = trusted_cache()
        fill(cache, "a")
        cache.trust(60)
        assert cache.get("a")

    def test_a_new_cache_is_not_trusted(self):
        cache = ReadCache(10, 1000, 60)
        fill(cache, "a")
        assert cache.get("a") is None

    @pytest.mark.parametrize("then", ["fill", "get"])
    def test_what_was_there_before_the_silence_is_worth_nothing(self, then):
        cache = trusted_cache()
        fill(cache, "a")
        mark = cache.mark()
        cache.distrust()
        assert cache.get("a") is None
        cache.trust(60)
        if then == "fill":
            cache.fill(mark, "a", b"old", None)
        assert cache.get("a") is None

    def test_a_fill_that_began_in_the_silence_is_refused(self):
        """Its SELECT may have come before a change that nobody heard."""
        cache = trusted_cache()
        cache.distrust()
        mark = cache.mark()
        cache.trust(60)
        cache.fill(mark, "a", b"old", None)
        assert cache.get("a") is None
        fill(cache, "a", b"new")
        assert cache.get("a") == b"new"


def test_too_many_to_name_are_all_forgotten():
    cache = trusted_cache()
    cache.fill(cache.mark(), "kept", b"{}", None)
    cache.forget([str(number) for number in range(10_001)])
    assert cache.get("kept") is None
