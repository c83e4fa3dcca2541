"""Relationships: a typed, directed tie between two memories of one owner."""

from django.db import models
from django.db.models import Q

from memories.limits import RELATIONSHIP_TYPE_MAX_CHARACTERS
from memories.models.fields import JSONField
from memories.models.memories import MemoryEntry
from memories.models.owned import OwnedModel


class Relationship(OwnedModel):
    source = models.ForeignKey(
        MemoryEntry,
        models.CASCADE,
        related_name="relationships",
        db_index=False,
        db_constraint=False,  # as of revisions
    )
    target = models.ForeignKey(
        MemoryEntry,
        models.CASCADE,
        related_name="relationships_to",
        db_index=False,
        db_constraint=False,  # as of revisions
    )
    relationship_type = models.CharField(max_length=RELATIONSHIP_TYPE_MAX_CHARACTERS)
    strength = models.FloatField(default=1.0)
    metadata = JSONField(default=dict, blank=True)
    created_at = models.DateTimeField()

    class Meta:
        db_table = "relationships"
        constraints = [
            # what a memory points to
            models.UniqueConstraint(
                fields=["owner_id", "source", "target", "relationship_type"],
                name="one_relationship_a_type",
            ),
            models.CheckConstraint(
                condition=Q(strength__gte=0, strength__lte=1), name="relationship_strength_0_to_1"
            ),
        ]
        indexes = [
            # what points to a memory
            models.Index("owner_id", "target", name="relationships_to_target"),
        ]

    def __str__(self) -> str:
        return f"{self.source_id} {self.relationship_type} {self.target_id}"
