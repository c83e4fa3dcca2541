from datetime import UTC, datetime, timedelta

import pytest

from memories.models import MemoryEntry
from memories.services.fetch import fetch_memories
from memories.services.forget import Deletion, forget_memories
from tests.factories import NEVER_MADE, SESSION, database_now, set_expiry, store

pytestmark = pytest.mark.django_db

MICROSECOND = timedelta(microseconds=1)


def test_what_is_not_alive_is_left_out():
    kept, gone, expired = store("kept"), store(), store()
    forget_memories([Deletion(gone, datetime.now(UTC))])
    set_expiry(expired, database_now())
    assert fetch_memories([kept, gone, expired, NEVER_MADE, "foreign"]).keys() == {kept}
    assert fetch_memories(["foreign"]) == fetch_memories([]) == {}


def test_expiry_is_to_the_microsecond():
    an_id = store()
    for moment, alive in (
        (database_now() - MICROSECOND, False),
        (database_now(), False),
        (database_now() + MICROSECOND, True),
    ):
        set_expiry(an_id, moment)
        assert bool(fetch_memories([an_id])) is alive
    assert fetch_memories([an_id])[an_id].expires_in_seconds == pytest.approx(1e-6)
    set_expiry(an_id, None)
    assert fetch_memories([an_id])[an_id].expires_in_seconds is None


def test_an_id_that_was_made_elsewhere_is_found(django_assert_num_queries):
    original = MemoryEntry.objects.get(id=store("old"))
    original.pk = "imported-1"
    original.session_id = SESSION
    original.save(force_insert=True)
    with django_assert_num_queries(2):
        assert fetch_memories(["imported-1"])["imported-1"].memory.memory_id == "imported-1"
    with django_assert_num_queries(1):
        fetch_memories([NEVER_MADE])


def test_an_id_that_claims_another_owner_finds_nothing():
    an_id = store()
    forged = an_id[:4] + "A" * 22 + an_id[26:]
    assert fetch_memories([forged]) == {}
