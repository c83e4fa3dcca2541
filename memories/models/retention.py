"""Retention: which memories are deleted by their age, and the proofs of owners that were erased."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from memories.ids import ID_MAX_CHARACTERS
from memories.limits import (
    HIGHEST_PRIORITY,
    LOWEST_PRIORITY,
    TAG_MAX_CHARACTERS,
    TYPE_MAX_CHARACTERS,
)
from memories.models.fields import IdField


class RetentionPolicy(models.Model):
    """Deletes softly what all of its conditions fit; an empty list or a null asks nothing."""

    name = IdField(unique=True)
    older_than_days = models.FloatField(
        help_text="since it was last changed or restored; parts of a day are allowed"
    )
    memory_types = ArrayField(
        models.CharField(max_length=TYPE_MAX_CHARACTERS), default=list, blank=True
    )
    tags = ArrayField(
        models.CharField(max_length=TAG_MAX_CHARACTERS),
        default=list,
        blank=True,
        help_text="any of them",
    )
    max_priority = models.PositiveSmallIntegerField(
        null=True, blank=True, help_text="this one and lower ones"
    )
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField()
    # What the last whole pass did. Null: the policy is new or was changed, and is due.
    passed_at = models.DateTimeField(null=True, blank=True, editable=False)
    passed_count = models.PositiveIntegerField(default=0, editable=False)
    passed_operation_id = models.CharField(
        max_length=ID_MAX_CHARACTERS,
        blank=True,
        default="",
        editable=False,
        help_text="restores what it deleted",
    )

    class Meta:
        db_table = "retention_policies"
        verbose_name_plural = "retention policies"
        constraints = [
            models.CheckConstraint(
                condition=Q(older_than_days__gt=0), name="retention_age_above_0"
            ),
            models.CheckConstraint(
                condition=Q(max_priority__isnull=True)
                | Q(max_priority__gte=LOWEST_PRIORITY, max_priority__lte=HIGHEST_PRIORITY),
                name="retention_priority_1_to_10",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Erasure(models.Model):
    """The proof that an owner was erased. It holds nothing of what was said, nor a name: the
    digest tells only whoever knows the owner that this one is meant."""

    id = IdField(primary_key=True)
    owner_digest = models.CharField(max_length=64, help_text="SHA-256 of the owner's id")
    counts = models.JSONField(help_text="rows removed, by table")
    erased_at = models.DateTimeField()
    erased_by = models.CharField(max_length=150)

    class Meta:
        db_table = "erasures"

    def __str__(self) -> str:
        return self.id
