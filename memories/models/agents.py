"""Agent states: what an agent keeps for itself in a session."""

from django.db import models

from memories.ids import ID_MAX_CHARACTERS
from memories.models.fields import JSONField
from memories.models.owned import OwnedModel
from memories.models.sessions import Session


class AgentState(OwnedModel):
    session = models.ForeignKey(
        Session,
        models.CASCADE,
        related_name="agent_states",
        db_index=False,
        db_constraint=False,  # only the erasure of an owner removes sessions, and its states first
    )
    agent_id = models.CharField(max_length=ID_MAX_CHARACTERS)
    state = JSONField()
    updated_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "agent_states"
        indexes = [
            # the purge
            models.Index(
                fields=["expires_at"],
                name="agent_states_to_expire",
                condition=models.Q(expires_at__isnull=False),
            ),
        ]
        constraints = [
            # the state of an agent in a session
            models.UniqueConstraint(
                fields=["owner_id", "session", "agent_id"], name="one_state_an_agent_and_session"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.agent_id} in {self.session_id}"
