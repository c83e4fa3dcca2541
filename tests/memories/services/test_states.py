from datetime import UTC, datetime, timedelta

import pytest

from memories.models import AgentState, Session
from memories.services.sessions import NewSession, open_sessions
from memories.services.states import NewState, StateName, StateSeen, get_states, set_states
from tests.factories import SESSION, database_now

pytestmark = pytest.mark.django_db

DAY = datetime(2026, 1, 31, tzinfo=UTC)
LATER = datetime(2026, 2, 28, tzinfo=UTC)


def put(state=b'{"a": 1}', session_id=SESSION, agent_id="kitchen", at=DAY, ttl_seconds=None):
    [seen] = set_states([NewState(StateName(session_id, agent_id), state, at, ttl_seconds)])
    return seen


def get(session_id=SESSION, agent_id="kitchen"):
    [seen] = get_states([StateName(session_id, agent_id)])
    return seen


def test_none_is_no_error_and_makes_no_session():
    assert get() == StateSeen("kitchen")
    assert not Session.objects.exists()


def test_comes_back_as_it_was_put_with_every_digit():
    seen = put(b'{"n": 12345678901234567890123, "m": [1.10, null]}')
    assert bytes(seen.state) == b'{"m": [1.10, null], "n": 12345678901234567890123}'
    assert (seen.updated_at, seen.expires_at) == (DAY, None)
    assert get() == seen


def test_a_new_one_takes_the_place_of_the_old_with_its_expiry():
    put(b'{"a": 1}', ttl_seconds=60)
    seen = put(b'{"b": 2}', at=LATER)
    assert bytes(get().state) == b'{"b": 2}'
    assert (seen.updated_at, seen.expires_at) == (LATER, None)
    assert AgentState.objects.count() == 1


def test_is_of_one_agent_in_one_session():
    put(b'{"a": 1}')
    put(b'{"b": 2}', agent_id="porch")
    put(b'{"c": 3}', session_id="another")
    names = [
        StateName("another", "kitchen"),
        StateName(SESSION, "none"),
        StateName(SESSION, "porch"),
        StateName(SESSION, "kitchen"),
        StateName(SESSION, "porch"),
    ]
    states = [seen.state and bytes(seen.state) for seen in get_states(names)]
    assert states == [b'{"c": 3}', None, b'{"b": 2}', b'{"a": 1}', b'{"b": 2}']


def test_is_gone_from_the_moment_of_its_expiry_on():
    seen = put(ttl_seconds=60)
    assert seen.expires_at == database_now() + timedelta(seconds=60)
    assert get() == seen
    AgentState.objects.update(expires_at=database_now() + timedelta(microseconds=1))
    assert get().state is not None
    AgentState.objects.update(expires_at=database_now())
    assert get() == StateSeen("kitchen")


def test_opens_the_session_and_has_its_owner():
    put()
    assert Session.objects.get().id == SESSION
    [opened] = open_sessions([NewSession(b"k" * 16, DAY, user_id="ann")])
    put(session_id=opened.session_id)
    owners = {state.session_id: state.owner_id for state in AgentState.objects.all()}
    assert owners == {session.id: session.owner_id for session in Session.objects.all()}
