"""Revisions: what a memory held before each change, by whom, in the change's own transaction."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from memories.ids import ID_MAX_CHARACTERS
from memories.limits import TAG_MAX_CHARACTERS, TYPE_MAX_CHARACTERS
from memories.models.fields import JSONField
from memories.models.memories import MemoryEntry
from memories.models.owned import OwnedModel


class Revision(OwnedModel):
    memory = models.ForeignKey(
        MemoryEntry,
        models.CASCADE,
        related_name="revisions",
        db_index=False,
        # PostgreSQL would look for rows that point to each memory that is purged, and no index
        # begins with the memory alone. The purge and the erasure remove them first, by owner.
        db_constraint=False,
    )
    version = models.PositiveIntegerField(help_text="the version of the memory that this was")
    action = models.CharField(max_length=16, help_text="what was then done to it")
    memory_type = models.CharField(max_length=TYPE_MAX_CHARACTERS)
    content = JSONField()
    tags = ArrayField(models.CharField(max_length=TAG_MAX_CHARACTERS), default=list)
    priority = models.PositiveSmallIntegerField()
    updated_at = models.DateTimeField(help_text="since when the memory held this")
    expires_at = models.DateTimeField(null=True)
    deleted_at = models.DateTimeField(null=True)
    changed_at = models.DateTimeField()
    changed_by = models.CharField(max_length=150, blank=True, default="")
    operation_id = models.CharField(
        max_length=ID_MAX_CHARACTERS,
        blank=True,
        default="",
        help_text="ties what one request changed",
    )

    class Meta:
        db_table = "revisions"
        constraints = [
            # history of one memory, newest first, reads this from its end
            models.UniqueConstraint(
                fields=["owner_id", "memory", "version"], name="revision_once_a_version"
            ),
        ]
        indexes = [
            # restore of a whole bulk delete
            models.Index(
                "owner_id",
                "operation_id",
                name="revisions_of_operation",
                condition=~Q(operation_id=""),
            ),
            # the purge, oldest first
            models.Index("changed_at", name="revisions_oldest", condition=~Q(action="restore")),
        ]

    def __str__(self) -> str:
        return f"{self.memory_id} version {self.version}"
