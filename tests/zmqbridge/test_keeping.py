"""The actions on profiles and states, as the wire has them."""

import json

import msgspec
import pytest

from memories.ids import owner_of_user
from memories.models import AgentState, UserProfile
from tests.factories import SESSION, request
from zmqbridge.client import results


def nested(depth):
    return json.loads('{"a":' * depth + "1" + "}" * depth)


class TestProfiles:
    def test_merged_and_read(self, wire):
        first = wire.data("update_profile", {"user_id": "ann", "preferences": {"voice": "calm"}})
        assert first["profile_data"] == {}
        payload = {"user_id": "ann", "preferences": {"voice": None}, "profile_data": {"age": 41}}
        second = wire.data("update_profile", payload)
        assert second["created_at"] == first["created_at"] < second["updated_at"]
        assert (second["preferences"], second["profile_data"]) == ({}, {"age": 41})
        assert wire.data("get_profile", {"user_id": "ann"}) == second
        assert msgspec.convert(second, results.Profile).profile_data == {"age": 41}

    def test_of_an_unknown_user_it_is_empty(self, wire):
        empty = wire.data("get_profile", {"user_id": "ann"})
        assert msgspec.convert(empty, results.Profile).updated_at is None
        assert empty == {
            "user_id": "ann",
            "preferences": {},
            "profile_data": {},
            "created_at": None,
            "updated_at": None,
        }

    @pytest.mark.parametrize(
        ("changes", "field"),
        [
            ({"user_id": ""}, "payload.user_id"),
            ({"user_id": "x" * 65}, "payload.user_id"),
            ({"user_id": 5}, "payload.user_id"),
            ({"preferences": None}, "payload.preferences"),
            ({"preferences": []}, "payload.preferences"),
            ({"preferences": "calm"}, "payload.preferences"),
            ({"profile_data": 5}, "payload.profile_data"),
            ({"profile_data": nested(65)}, "payload.profile_data"),
            ({"profile_data": {"a\x00": 1}}, "payload.profile_data"),
            ({"profile_data": {"a": "NUMBER"}}, "payload.profile_data"),
            ({"profile_data": {"a": "x" * 300_000}}, "payload"),
        ],
    )
    def test_what_cannot_be_kept_is_refused(self, wire, changes, field):
        body = request("update_profile", {"user_id": "ann", "preferences": {"a": 1}} | changes)
        [reply] = wire.answer([body.replace(b'"NUMBER"', b"1e131000")])
        assert reply["error"]["code"] == "validation_error"
        assert reply["error"]["details"]["field"] == field
        assert wire.data("get_profile", {"user_id": "ann"})["preferences"] == {}

    def test_changes_in_one_batch_happen_in_their_order(self, wire):
        values = [{"a": 1, "b": 1}, {"a": None}, {"a": 3}, {"b": None, "c": 4}]
        bodies = [request("update_profile", {"user_id": "ann", "preferences": v}) for v in values]
        replies = wire.answer(bodies)
        assert [reply["data"]["preferences"] for reply in replies] == [
            {"a": 1, "b": 1},
            {"b": 1},
            {"a": 3, "b": 1},
            {"a": 3, "c": 4},
        ]

    def test_sent_again_it_does_not_undo_what_came_since(self, wire):
        body = request("update_profile", {"user_id": "ann", "preferences": {"a": 1}})
        [first] = wire.answer([body])
        wire.data("update_profile", {"user_id": "ann", "preferences": {"a": 2}})
        [again] = wire.answer([body])
        assert again["data"] == first["data"]
        assert UserProfile.objects.get().preferences == {"a": 2}


class TestStates:
    def test_put_and_read(self, wire):
        put = wire.data("set_state", {"agent_id": "oven", "state": {"step": 1}, "ttl": 60})
        assert put["expires_at"] > put["updated_at"]
        assert wire.data("get_state", {"agent_id": "oven"}) == put
        assert msgspec.convert(put, results.AgentState).state == {"step": 1}
        none = {"agent_id": "oven", "state": None, "updated_at": None, "expires_at": None}
        assert wire.data("get_state", {"agent_id": "oven"}, session_id="another") == none

    @pytest.mark.parametrize(
        ("changes", "field"),
        [
            ({"agent_id": None}, "payload.agent_id"),
            ({"agent_id": "x" * 65}, "payload.agent_id"),
            ({"agent_id": "a\x00"}, "payload.agent_id"),
            ({"state": None}, "payload.state"),
            ({"state": [1]}, "payload.state"),
            ({"state": "on"}, "payload.state"),
            ({"state": nested(65)}, "payload.state"),
            ({"ttl": 0}, "payload.ttl"),
            ({"ttl": 10**12}, "payload.ttl"),
            ({"ttl": 1.5}, "payload.ttl"),
        ],
    )
    def test_what_cannot_be_kept_is_refused(self, wire, changes, field):
        payload = {"agent_id": "oven", "state": {"a": 1}} | changes
        error = wire.error("set_state", payload)
        assert (error["code"], error["details"]["field"]) == ("validation_error", field)
        assert not AgentState.objects.exists()

    def test_changes_in_one_batch_happen_in_their_order(self, wire):
        states = [{"step": step} for step in range(5)]
        bodies = [request("set_state", {"agent_id": "oven", "state": state}) for state in states]
        replies = wire.answer(bodies)
        assert [reply["data"]["state"] for reply in replies] == states
        assert wire.data("get_state", {"agent_id": "oven"})["state"] == {"step": 4}

    def test_a_session_that_is_opened_in_the_same_batch_has_its_user(self, wire):
        bodies = [
            request("create_session", {"user_id": "ann"}, session_id="mine"),
            request("set_state", {"agent_id": "oven", "state": {}}, session_id="mine"),
        ]
        assert [reply["status"] for reply in wire.answer(bodies)] == ["success", "success"]
        assert AgentState.objects.get().owner_id == owner_of_user("ann")

    def test_a_session_that_it_opened_first_is_its_own(self, wire):
        bodies = [
            request("set_state", {"agent_id": "oven", "state": {}}, session_id="mine"),
            request("create_session", {"user_id": "ann"}, session_id="mine"),
        ]
        state, session = wire.answer(bodies)
        assert state["status"] == "success"
        assert session["error"]["details"]["field"] == "session_id"

    def test_it_opens_a_session_that_is_not_there(self, wire):
        wire.data("set_state", {"agent_id": "oven", "state": {}})
        assert wire.data("get_session")["session_id"] == SESSION

    def test_reading_opens_none(self, wire):
        wire.data("get_state", {"agent_id": "oven"})
        assert wire.error("get_session")["code"] == "session_not_found"
