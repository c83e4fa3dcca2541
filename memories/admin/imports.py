"""Reports of imports: what was changed or skipped, and whether somebody has read of it."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from unfold.decorators import display

from memories.admin.expressions import beginning
from memories.admin.filters import AgeFilter, ChoiceFilter
from memories.admin.inspection import InspectionAdmin, chosen
from memories.admin.pages import AdminAct, log_changes, posted
from memories.admin.rendering import excerpt, isolated, table
from memories.errors import ValidationFailed
from memories.models import ImportReport
from memories.services.imports import mark_read

READS = "memories.change_importreport"
_MOST_DIGITS = 18


class WhenFilter(AgeFilter):
    time_field = "ended_at"


class ReadFilter(ChoiceFilter):
    title = gettext_lazy("state")
    parameter_name = "state"
    labels = {"unread": gettext_lazy("Unread"), "read": gettext_lazy("Read")}

    def narrow(self, queryset: QuerySet[Any], value: str | None) -> QuerySet[Any]:
        return queryset.filter(read_at__isnull=value == "unread") if value else queryset


@admin.register(ImportReport)
class ImportReportAdmin(InspectionAdmin):
    list_display = ("ended_at", "what", "state", "finding_count", "read_by")
    list_fields = ("ended_at", "finding_count", "read_at", "read_by")
    list_filter = (WhenFilter, ReadFilter)
    ordering = ("-pk",)
    actions = ("mark_read",)
    change_form_outer_before_template = "memories/import_report.html"
    fields = (
        ("began_at", "ended_at"),
        "source",
        ("host", "path"),
        "told",
        ("read_at", "read_by"),
    )

    def for_list(self, queryset: QuerySet[Any]) -> Any:
        return super().for_list(queryset).annotate(source_beginning=beginning("source"))

    def has_read_permission(self, request: HttpRequest) -> bool:
        """The page stays read-only; who may change reports may say that they are read."""
        return admin.ModelAdmin.has_change_permission(self, request)

    @admin.action(description=gettext_lazy("Mark selected reports as read"), permissions=["read"])
    def mark_read(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        marked = _mark(request, [int(pk) for pk in chosen(queryset)])
        text = ngettext("%(count)s report is read.", "%(count)s reports are read.", marked)
        self.message_user(request, text % {"count": marked}, messages.SUCCESS)

    @admin.display(description=gettext_lazy("source"))
    def what(self, report: Any) -> SafeString:
        return excerpt(report.source_beginning)

    @display(
        description=gettext_lazy("state"),
        label={"unread": "warning", "read": "success"},
    )
    def state(self, report: ImportReport) -> Any:
        return ("read", _("read")) if report.read_at else ("unread", _("unread"))

    @admin.display(description=gettext_lazy("findings"))
    def told(self, report: ImportReport) -> SafeString:
        rows = (
            [
                f"{finding['count']:,}",
                isolated(finding["table"]),
                isolated(finding["found"]),
                isolated(finding["done"]),
            ]
            for finding in report.findings
        )
        return table([_("Rows"), _("Table"), _("Found"), _("Done")], rows)


class MarkRead(AdminAct):
    permission_required = READS

    def act(self, request: HttpRequest) -> str:
        report_id = posted(request, "report_id")
        if not (report_id.isascii() and report_id.isdigit() and len(report_id) <= _MOST_DIGITS):
            raise ValidationFailed("report_id", _("There is no such report."))
        if not _mark(request, [int(report_id)]):
            raise ValidationFailed("report_id", _("Somebody has read it already, or it is gone."))
        return _("The report is marked as read.")


def _mark(request: HttpRequest, report_ids: list[int]) -> int:
    marked = mark_read(report_ids, timezone.now(), request.user.get_username())
    log_changes(request, ImportReport, [str(pk) for pk in marked], "Marked as read")
    return len(marked)
