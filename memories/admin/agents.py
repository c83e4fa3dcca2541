"""Agent states."""

from django.contrib import admin
from django.db.models import Q
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy

from memories.admin.finding import of_session
from memories.admin.inspection import InspectionAdmin, shown_json
from memories.admin.rendering import link
from memories.models import AgentState, Session


@admin.register(AgentState)
class AgentStateAdmin(InspectionAdmin):
    list_display = ("id", "agent_id", "in_session", "updated_at", "expires_at")
    list_fields = ("owner_id", "agent_id", "session_id", "updated_at", "expires_at")
    ordering = ("-pk",)
    search_help_text = gettext_lazy("The id of a session.")
    json_fields = ("state",)
    fields = ("agent_id", "in_session", "owner_id", ("updated_at", "expires_at"), "state_shown")

    state_shown = shown_json("state")

    def named(self, term: str) -> Q:
        return of_session(term)

    @admin.display(description=gettext_lazy("session"))
    def in_session(self, state: AgentState) -> SafeString:
        return link(Session, state.session_id)
