"""Request keys: what makes a repeated change recognisable, with the answer it got."""

from django.db import models

from memories.models.fields import IdField
from memories.models.owned import OwnedModel


class RequestKey(OwnedModel):
    """`create`, `batch_create` and `create_session` need none: their ids are made from the key."""

    id = IdField(primary_key=True, max_length=22)
    answer = models.JSONField()
    created_at = models.DateTimeField()

    class Meta:
        db_table = "request_keys"
        indexes = [
            # the purge, oldest first
            models.Index("created_at", name="request_keys_oldest"),
        ]

    def __str__(self) -> str:
        return self.id
