"""Sessions: a conversation, an episode, whatever an assistant opens and ends."""

from django.db import models

from memories.ids import ID_MAX_CHARACTERS
from memories.limits import TYPE_MAX_CHARACTERS
from memories.models.fields import IdField, JSONField
from memories.models.owned import OwnedModel


class Session(OwnedModel):
    id = IdField(primary_key=True)
    user_id = models.CharField(max_length=ID_MAX_CHARACTERS, blank=True, default="")
    session_type = models.CharField(max_length=TYPE_MAX_CHARACTERS, default="conversation")
    metadata = JSONField(default=dict, blank=True)
    summary = models.TextField(blank=True, default="")
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    is_archived = models.BooleanField(default=False)

    class Meta:
        db_table = "sessions"
        indexes = [
            # list_sessions of a user, newest first
            models.Index(fields=["owner_id", "-created_at", "id"], name="sessions_of_owner"),
            # list_sessions without a user, and the admin's list
            models.Index(fields=["-created_at", "id"], name="sessions_newest"),
            # what was never ended, counted by the admin's home page
            models.Index(
                fields=["created_at"],
                name="sessions_open",
                condition=models.Q(ended_at=None, is_archived=False),
            ),
        ]

    def __str__(self) -> str:
        return self.id
