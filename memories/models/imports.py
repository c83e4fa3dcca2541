"""Reports of imports that found something: a row each, beside the file that tells all of it."""

from django.db import models


class ImportReport(models.Model):
    """`findings`: the most frequent, each as {"table", "found", "done", "count"}."""

    source = models.TextField(help_text="what was imported")
    began_at = models.DateTimeField()
    ended_at = models.DateTimeField()
    host = models.TextField()
    path = models.TextField(help_text="of the report, on that machine")
    findings = models.JSONField(default=list)
    finding_count = models.BigIntegerField()
    read_at = models.DateTimeField(null=True, blank=True)
    read_by = models.CharField(max_length=150, blank=True, default="")

    class Meta:
        db_table = "import_reports"

    def __str__(self) -> str:
        return self.source[:100]
