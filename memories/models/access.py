"""The access log: who did what to which memory, folded to one row a day."""

from django.db import models

from memories.ids import ID_MAX_CHARACTERS
from memories.models.owned import OwnedModel


class AccessLog(OwnedModel):
    """Counters stand here, never on the memory's own row. A row outlives what it tells of.
    `memory_id` is "" where something else of the owner was meant: a session, a state, a profile."""

    memory_id = models.CharField(max_length=ID_MAX_CHARACTERS)
    agent_id = models.CharField(max_length=150, blank=True, default="")
    action = models.CharField(max_length=32)
    day = models.DateField()
    accesses = models.PositiveIntegerField()
    last_at = models.DateTimeField()

    class Meta:
        db_table = "access_log"
        constraints = [
            # the flush folds into this; the accesses of one memory are read from it
            models.UniqueConstraint(
                fields=["owner_id", "memory_id", "agent_id", "action", "day"],
                name="one_access_row_a_day",
            ),
        ]
        indexes = [
            # the admin's list, newest first
            models.Index(fields=["-last_at"], name="access_log_newest"),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.memory_id} ({self.accesses})"
