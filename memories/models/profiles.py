"""User profiles: what an assistant knows of a user for good."""

from django.db import models

from memories.models.fields import IdField, JSONField
from memories.models.owned import OwnedModel


class UserProfile(OwnedModel):
    user_id = IdField(primary_key=True)
    preferences = JSONField(default=dict, blank=True)
    profile_data = JSONField(default=dict, blank=True)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    class Meta:
        db_table = "user_profiles"

    def __str__(self) -> str:
        return self.user_id
