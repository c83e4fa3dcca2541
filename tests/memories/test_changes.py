import json
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memories import ids
from memories.bounded import BoundedDict
from memories.changes import CHANNEL, EVERYTHING, notify_changed
from tests.factories import other_connection


@pytest.mark.django_db(transaction=True)
class TestNotify:
    def heard(self, changed):
        with other_connection() as listening:
            listening.execute(f"LISTEN {CHANNEL}")
            notify_changed(changed)
            notify_changed(["the last"])
            payloads = []
            for notice in listening.notifies(timeout=10):
                payloads.append(notice.payload)
                if notice.payload == '["the last"]':
                    return payloads[:-1]
        raise AssertionError("the last was not heard")

    def test_many_ids_come_in_few_notices_each_within_the_limit(self):
        changed = [f'mem-{number} "é🙂\\' * 2 for number in range(2000)]
        payloads = self.heard(changed)
        assert [one for payload in payloads for one in json.loads(payload)] == changed
        assert len(payloads) < 40

    def test_of_too_many_all_is_said(self):
        assert self.heard([f"mem-{number}" for number in range(10_001)]) == [EVERYTHING]

    def test_of_none_nothing(self):
        assert self.heard([]) == []


class TestIds:
    @given(st.uuids(), st.binary(min_size=16, max_size=16))
    def test_an_id_carries_its_owner(self, owner, own):
        for made in (ids.memory_id(owner, own), ids.session_id(owner, own)):
            assert ids.owner_in(made) == owner
            assert len(made) <= ids.ID_MAX_CHARACTERS

    @given(st.text())
    def test_any_other_text_carries_none(self, text):
        assert ids.owner_in(text) is None
        assert ids.owner_in(f"mem-{text}") is None or len(text) == 44

    def test_owners_do_not_meet(self):
        owners = [
            ids.owner_of_user("ann"),
            ids.owner_of_user("an"),
            ids.owner_of_session("ann"),
            ids.owner_of_user("session:ann"),
        ]
        assert len(set(owners)) == 4
        assert all(isinstance(owner, uuid.UUID) for owner in owners)


def test_a_bounded_dict_forgets_what_was_used_least_lately():
    kept = BoundedDict(2)
    kept.update({"a": 1, "b": 2})
    assert kept.get("a") == 1
    kept.update({"c": 3})
    assert (kept.get("a"), kept.get("b"), kept.get("c")) == (1, None, 3)
    assert len(kept) == 2
    kept.clear()
    assert kept.get("a") is None
