"""Actions on user profiles and agent states."""

from collections.abc import Sequence

from memories.content import read_object
from memories.errors import ValidationFailed
from memories.services import profiles, states
from memories.services.profiles import ProfileChange
from memories.services.states import NewState, StateName
from zmqbridge import payloads
from zmqbridge.handlers.base import (
    Ask,
    Handler,
    LaneName,
    about_session,
    about_user,
    left_out_as,
    session_named,
)


def _prepare_get_profile(ask: Ask) -> str:
    user_id: str = ask.payload.user_id
    return user_id


def _prepare_update_profile(ask: Ask) -> ProfileChange:
    payload: payloads.UpdateProfilePayload = ask.payload
    preferences = left_out_as(b"", payload.preferences)
    profile_data = left_out_as(b"", payload.profile_data)
    if not (preferences or profile_data):
        raise ValidationFailed(
            "payload.preferences", "An update_profile names preferences or profile_data."
        )
    preferences, profile_data = preferences or b"{}", profile_data or b"{}"
    read_object(preferences, "payload.preferences")
    read_object(profile_data, "payload.profile_data")
    return ProfileChange(payload.user_id, ask.request.received_at, preferences, profile_data)


def _touched_by_profile(change: ProfileChange) -> list[str]:
    return [f"profile {change.user_id}"]


def _prepare_get_state(ask: Ask) -> StateName:
    return StateName(ask.request.session_id, ask.payload.agent_id)


def _prepare_set_state(ask: Ask) -> NewState:
    payload: payloads.SetStatePayload = ask.payload
    state = bytes(payload.state)
    read_object(state, "payload.state")
    name = StateName(ask.request.session_id, payload.agent_id)
    return NewState(name, state, ask.request.received_at, payload.ttl)


def _touched_by_state(new: NewState) -> Sequence[str]:
    return [f"state {new.name.session_id} {new.name.agent_id}"]


def _used_session(new: NewState) -> Sequence[str]:
    return [session_named(new.name.session_id)]


HANDLERS = {
    "get_profile": Handler(
        payload=payloads.GetProfilePayload,
        prepare=_prepare_get_profile,
        serve=profiles.get_profiles,
        about=about_user,
    ),
    "update_profile": Handler(
        payload=payloads.UpdateProfilePayload,
        prepare=_prepare_update_profile,
        serve=profiles.update_profiles,
        lane=LaneName.WRITES,
        changes=True,
        keyed=True,
        touches=_touched_by_profile,
        about=about_user,
    ),
    "get_state": Handler(
        payload=payloads.GetStatePayload,
        prepare=_prepare_get_state,
        serve=states.get_states,
        about=about_session,
    ),
    "set_state": Handler(
        payload=payloads.SetStatePayload,
        prepare=_prepare_set_state,
        serve=states.set_states,
        lane=LaneName.WRITES,
        changes=True,
        keyed=True,
        touches=_touched_by_state,
        uses=_used_session,
        about=about_session,
    ),
}
