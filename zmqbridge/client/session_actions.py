"""The actions on sessions, profiles, states and the orchestrator itself; as in memory_actions."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Unpack

from zmqbridge.client import results as r
from zmqbridge.client.calls import Call, Options, SessionOptions, action, given, span


class SessionActions:
    """Open, end, look at and sum up sessions; profiles, states, and the orchestrator itself."""

    @action
    def create_session(
        self,
        user_id: str | None = None,
        *,
        session_metadata: Mapping[str, Any] | None = None,
        session_type: str | None = None,
        **options: Unpack[SessionOptions],
    ) -> Call[r.OpenedSession]:
        """Open a session. One whose `session_id` (given here or to the client) exists is answered
        as it stands; of another owner: ValidationFailed. Without an id, one is made."""
        payload = given(
            user_id=user_id, session_metadata=session_metadata, session_type=session_type
        )
        return Call("create_session", r.OpenedSession, payload, options, spare_session_id="")

    @action
    def end_session(
        self,
        *,
        summary: str | None = None,
        archive: bool | None = None,
        **options: Unpack[SessionOptions],
    ) -> Call[r.EndedSession]:
        """Raises SessionNotFound."""
        payload = given(summary=summary, archive=archive)
        return Call("end_session", r.EndedSession, payload, options, needs_session=True)

    @action
    def get_session(self, session_id: str, **options: Unpack[Options]) -> Call[r.Session]:
        """Raises SessionNotFound."""
        in_session: SessionOptions = {**options, "session_id": session_id}
        return Call("get_session", r.Session, {"session_id": session_id}, in_session)

    @action
    def list_sessions(
        self,
        user_id: str | None = None,
        *,
        limit: int | None = None,
        offset: int | None = None,
        archived: bool | None = None,
        **options: Unpack[SessionOptions],
    ) -> Call[r.Sessions]:
        """A page of sessions, newest first; with the archived ones if `archived`."""
        payload = given(user_id=user_id, limit=limit, offset=offset, archived=archived)
        return Call("list_sessions", r.Sessions, payload, options)

    @action
    def summarize(
        self,
        *,
        memory_type: str | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
        **options: Unpack[SessionOptions],
    ) -> Call[r.Summary]:
        """Sum up what the session holds, in a few sentences."""
        payload = given(memory_type=memory_type, time_range=span(start, end))
        return Call("summarize", r.Summary, payload, options, needs_session=True)

    @action
    def context(
        self,
        query: str | None = None,
        *,
        max_tokens: int | None = None,
        recent: int | None = None,
        **options: Unpack[SessionOptions],
    ) -> Call[r.Context]:
        """Text for a prompt: the session's latest turns, and what the query recalls of the user's
        past, within 2000 tokens where nothing else is said."""
        payload = given(query=query, max_tokens=max_tokens, recent=recent)
        return Call("context", r.Context, payload, options, needs_session=True)

    @action
    def get_profile(self, user_id: str, **options: Unpack[SessionOptions]) -> Call[r.Profile]:
        """What is known of a user; empty where that is nothing."""
        return Call("get_profile", r.Profile, {"user_id": user_id}, options)

    @action
    def update_profile(
        self,
        user_id: str,
        *,
        preferences: Mapping[str, Any] | None = None,
        profile_data: Mapping[str, Any] | None = None,
        **options: Unpack[SessionOptions],
    ) -> Call[r.Profile]:
        """Merge top-level keys into a user's profile; None removes one."""
        payload = given(user_id=user_id, preferences=preferences, profile_data=profile_data)
        return Call("update_profile", r.Profile, payload, options)

    @action
    def get_state(self, agent: str, **options: Unpack[SessionOptions]) -> Call[r.AgentState]:
        """An agent's state in the session."""
        payload = {"agent_id": agent}
        return Call("get_state", r.AgentState, payload, options, needs_session=True)

    @action
    def set_state(
        self,
        agent: str,
        state: Mapping[str, Any],
        *,
        ttl_seconds: int | None = None,
        **options: Unpack[SessionOptions],
    ) -> Call[r.AgentState]:
        """Replace an agent's state in the session."""
        payload = given(agent_id=agent, state=state, ttl=ttl_seconds)
        return Call("set_state", r.AgentState, payload, options, needs_session=True)

    @action
    def stats(self, **options: Unpack[SessionOptions]) -> Call[dict[str, Any]]:
        """The orchestrator's counts, cache hits, lane depths and latencies."""
        return Call("stats", dict[str, Any], {}, options)

    @action
    def ping(self, **options: Unpack[SessionOptions]) -> Call[r.Health]:
        """Whether the orchestrator is there and well; answered while the database is away, too."""
        return Call("ping", r.Health, {}, options)

    @action
    def health(self, **options: Unpack[SessionOptions]) -> Call[r.Health]:
        """As `ping`."""
        return Call("health", r.Health, {}, options)
