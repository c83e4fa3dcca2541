"""Orchestrators: a row that each running one keeps of itself."""

from django.db import models

from memories.models.fields import IdField


class Orchestrator(models.Model):
    instance = IdField(primary_key=True)
    endpoints = models.JSONField(default=list)
    version = models.CharField(max_length=32)
    stats = models.JSONField(default=dict)
    started_at = models.DateTimeField()
    seen_at = models.DateTimeField()
    stopped_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "orchestrators"

    def __str__(self) -> str:
        return self.instance
