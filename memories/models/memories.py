"""Memory entries: what an assistant heard, said or learned."""

from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVectorField
from django.db import models
from django.db.models import Q

from memories.ids import ID_MAX_CHARACTERS
from memories.limits import (
    HIGHEST_PRIORITY,
    LOWEST_PRIORITY,
    SPEAKER_MAX_CHARACTERS,
    TAG_MAX_CHARACTERS,
    TYPE_MAX_CHARACTERS,
)
from memories.managers import AliveManager, AllManager
from memories.models.fields import IdField, JSONField
from memories.models.owned import OwnedModel
from memories.models.sessions import Session


class MemoryEntry(OwnedModel):
    """Rows are written by the services alone, which keep history and the caches right."""

    id = IdField(primary_key=True)
    session = models.ForeignKey(
        Session,
        models.PROTECT,
        related_name="memories",
        db_index=False,
        # A fifth of what a create costs PostgreSQL. The one statement that writes rows opens their
        # sessions in its own transaction, and only the erasure of an owner removes sessions.
        db_constraint=False,
    )
    memory_type = models.CharField(max_length=TYPE_MAX_CHARACTERS)
    content = JSONField()
    content_bytes = models.PositiveIntegerField(help_text="size of the content as JSON text")
    text = models.TextField(blank=True, default="", help_text="what search reads")
    speaker = models.CharField(
        max_length=SPEAKER_MAX_CHARACTERS, blank=True, default="", help_text="who said it"
    )
    tags = ArrayField(models.CharField(max_length=TAG_MAX_CHARACTERS), default=list, blank=True)
    search = SearchVectorField(editable=False)
    words = models.PositiveIntegerField(default=0, help_text="how many different ones it holds")
    source_agent = models.CharField(max_length=ID_MAX_CHARACTERS, blank=True, default="")
    created_by = models.CharField(
        max_length=ID_MAX_CHARACTERS, blank=True, default="", help_text="the agent that sent it"
    )
    priority = models.PositiveSmallIntegerField(default=5)
    version = models.PositiveIntegerField(default=1, help_text="counts the changes")
    content_version = models.PositiveIntegerField(
        default=1, help_text="the version that brought this content; vectors are bound to it"
    )
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True, blank=True)
    deleted_at = models.DateTimeField(null=True, blank=True)

    objects = AliveManager()
    all_objects = AllManager()

    class Meta:
        db_table = "memory_entries"
        verbose_name = "memory"
        verbose_name_plural = "memories"
        constraints = [
            models.CheckConstraint(
                condition=Q(priority__gte=LOWEST_PRIORITY, priority__lte=HIGHEST_PRIORITY),
                name="memory_priority_1_to_10",
            ),
        ]
        indexes = [
            # batch_read, summarize and counts of a session, newest first. The owner, whom a session
            # has but one of, is in it for the planner: where it takes sessions and owners for
            # equally many, it would read all of the owner's memories for a page of a session.
            models.Index(
                fields=["session", "owner_id", "-created_at", "id"],
                name="memories_of_session",
                condition=Q(deleted_at=None),
            ),
            # the same across a user's sessions
            models.Index(
                fields=["owner_id", "-created_at", "id"],
                name="memories_of_owner",
                condition=Q(deleted_at=None),
            ),
            # scope `all` and the admin's list, newest first
            models.Index(
                fields=["-created_at", "id"], name="memories_newest", condition=Q(deleted_at=None)
            ),
            # keyword search: the rows of an owner that hold a lexeme. Merging 4 MB (PostgreSQL's
            # default) of what waits for this index takes a create up to 100 ms, 1 MB some 10.
            GinIndex(
                "owner_id",
                "search",
                name="memories_words",
                condition=Q(deleted_at=None),
                gin_pending_list_limit=1024,
            ),
            # the expiry job
            models.Index(
                fields=["expires_at"],
                name="memories_to_expire",
                condition=Q(deleted_at=None, expires_at__isnull=False),
            ),
            # what of an owner has expired a moment ago, asked at each search: without it the
            # planner reads all that the owner has
            models.Index(
                fields=["owner_id", "expires_at"],
                name="memories_expiring_of_owner",
                condition=Q(deleted_at=None, expires_at__isnull=False),
            ),
            # the trash and the purge, oldest first
            models.Index(
                fields=["deleted_at"],
                name="memories_deleted",
                condition=Q(deleted_at__isnull=False),
            ),
            # an owner's trash, and the rest of an owner to be exported or erased
            models.Index(
                fields=["owner_id", "deleted_at"],
                name="memories_deleted_of_owner",
                condition=Q(deleted_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return self.text[:60] or self.id

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        """Delete softly; returns what Django's own delete() returns."""
        return self._this_row().delete()  # type: ignore[no-any-return]

    def restore(self) -> int:
        return self._this_row().restore()  # type: ignore[no-any-return]

    def hard_delete(self) -> tuple[int, dict[str, int]]:
        """Remove the row itself. For the purge and the erasure of an owner alone."""
        return self._this_row().hard_delete()  # type: ignore[no-any-return]

    def _this_row(self) -> Any:
        return type(self).all_objects.filter(owner_id=self.owner_id, id=self.id)
