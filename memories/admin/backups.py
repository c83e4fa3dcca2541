"""Backups: the good ones, and what failed. See docs/backups.md."""

from django.contrib import admin
from django.template.defaultfilters import filesizeformat
from unfold.decorators import display

from memories.admin.inspection import InspectionAdmin
from memories.models import Backup


@admin.register(Backup)
class BackupAdmin(InspectionAdmin):
    list_display = ("made_at", "state", "kind", "path", "size", "verified_at", "error")
    list_fields = ("kind", "made_at", "path", "size_bytes", "verified_at", "error")
    list_filter = ("kind",)
    ordering = ("-made_at", "pk")
    fields = (
        "made_at",
        ("state", "kind"),
        ("host", "path"),
        ("size", "row_count"),
        ("is_encrypted", "verified_at"),
        "error",
    )

    @display(label={"good": "info", "verified": "success", "failed": "danger"})
    def state(self, row: Backup) -> str:
        if row.error:
            return "failed"
        return "verified" if row.verified_at else "good"

    @admin.display(ordering="size_bytes")
    def size(self, row: Backup) -> str:
        return str(filesizeformat(row.size_bytes)) if row.path else ""
