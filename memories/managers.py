"""Soft delete, and the words in which queries of memories are asked."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import models
from django.db.models.functions import Now
from django.utils import timezone

from memories import changes


class MemoryQuerySet(models.QuerySet[Any]):
    """A memory is alive while it is not deleted and, by the database's clock, not expired."""

    def alive(self) -> MemoryQuerySet:
        unexpired = models.Q(expires_at=None) | models.Q(expires_at__gt=Now())
        return self.filter(unexpired, deleted_at=None)

    def deleted(self) -> MemoryQuerySet:
        return self.filter(deleted_at__isnull=False)

    def expired(self) -> MemoryQuerySet:
        return self.filter(deleted_at=None, expires_at__lte=Now())

    def of_owner(self, owner_id: UUID) -> MemoryQuerySet:
        return self.filter(owner_id=owner_id)

    def deleted_before(self, moment: datetime) -> MemoryQuerySet:
        return self.filter(deleted_at__lt=moment)

    def delete(self) -> tuple[int, dict[str, int]]:
        """Delete softly, with history; returns what Django's own delete() returns."""
        count = len(changes.delete_softly(self._targets()))
        return count, ({self.model._meta.label: count} if count else {})

    delete.alters_data = True  # type: ignore[attr-defined]
    delete.queryset_only = True  # type: ignore[attr-defined]

    def restore(self) -> int:
        """Bring back what is deleted or expired; returns how many memories that were."""
        return len(changes.bring_back(self._targets()))

    restore.alters_data = True  # type: ignore[attr-defined]

    def hard_delete(self) -> tuple[int, dict[str, int]]:
        """Remove the rows themselves. For the purge and the erasure of an owner alone."""
        return super().delete()

    hard_delete.alters_data = True  # type: ignore[attr-defined]
    hard_delete.queryset_only = True  # type: ignore[attr-defined]

    def _targets(self) -> list[changes.Target]:
        now = timezone.now()
        return [
            changes.Target(owner_id, an_id, now)
            for owner_id, an_id in self.values_list("owner_id", "id")
        ]


class AliveManager(models.Manager.from_queryset(MemoryQuerySet)):  # type: ignore[misc]
    """Sees what is alive. As the default manager it serves related managers and uniqueness too."""

    def get_queryset(self) -> MemoryQuerySet:
        queryset: MemoryQuerySet = super().get_queryset()
        return queryset.alive()


class AllManager(models.Manager.from_queryset(MemoryQuerySet)):  # type: ignore[misc]
    """Sees everything."""
