"""Backups: a row for each good one whose files were not removed, and one for each failure."""

from django.db import models
from django.db.models import Q


class Backup(models.Model):
    """`error` is empty for a good one. `verified_at`: when it was last restored and compared."""

    class Kind(models.TextChoices):
        DUMP = "dump", "dump"
        BASE = "base", "base backup"

    kind = models.CharField(max_length=8, choices=Kind.choices)
    made_at = models.DateTimeField()
    host = models.TextField()
    path = models.TextField(default="", blank=True)
    size_bytes = models.BigIntegerField(default=0)
    row_count = models.BigIntegerField(null=True, blank=True)
    is_encrypted = models.BooleanField(default=False)
    verified_at = models.DateTimeField(null=True, blank=True)
    error = models.TextField(default="", blank=True)

    class Meta:
        db_table = "backups"
        constraints = [
            # Recording one twice changes it, as when it is restored or verified.
            models.UniqueConstraint(fields=["kind", "made_at"], name="one_backup_a_moment"),
            models.CheckConstraint(
                condition=Q(error="") ^ Q(path=""), name="backup_is_a_file_or_a_failure"
            ),
        ]

    def __str__(self) -> str:
        return self.path or self.error
