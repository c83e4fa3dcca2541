"""The log of what accounts did in the admin. By ids: what was changed is told by the revisions."""

from typing import Any

from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from memories.admin.filters import AgeFilter, ChoiceFilter, Choices
from memories.admin.inspection import InspectionAdmin
from memories.admin.rendering import isolated

_MOST_ACCOUNTS = 100


class WhenFilter(AgeFilter):
    time_field = "action_time"


class AccountFilter(ChoiceFilter):
    title = _("account")
    parameter_name = "account"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        accounts = User.objects.order_by("username").values_list("pk", "username")
        self.labels = {str(pk): name for pk, name in accounts[:_MOST_ACCOUNTS]}
        return super().lookups(request, model_admin)

    def narrow(self, queryset: QuerySet[Any], value: str | None) -> QuerySet[Any]:
        return queryset.filter(user_id=value) if value else queryset


class KindFilter(ChoiceFilter):
    title = _("what")
    parameter_name = "what"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Choices:
        kinds = ContentType.objects.filter(app_label__in=("memories", "auth")).order_by("model")
        self.labels = {str(kind.pk): kind.name for kind in kinds}
        return super().lookups(request, model_admin)

    def narrow(self, queryset: QuerySet[Any], value: str | None) -> QuerySet[Any]:
        return queryset.filter(content_type_id=value) if value else queryset


@admin.register(LogEntry)
class AuditAdmin(InspectionAdmin):
    list_display = ("action_time", "account", "did", "kind", "object_id")
    list_fields = (
        "action_time",
        "action_flag",
        "object_id",
        "object_repr",
        "change_message",
        "user__username",
        "content_type__app_label",
        "content_type__model",
    )
    list_select_related = ("user", "content_type")
    list_filter = (WhenFilter, AccountFilter, KindFilter)
    ordering = ("-pk",)
    search_help_text = _("The id of what was changed.")
    fields = ("action_time", "account", "did", "kind", "object_id")

    def named(self, term: str) -> Q:
        return Q(object_id=term)

    @admin.display(description=_("account"))
    def account(self, entry: LogEntry) -> SafeString:
        return isolated(entry.user.get_username())

    @admin.display(description=_("did"))
    def did(self, entry: LogEntry) -> SafeString:
        told = entry.get_change_message() or entry.get_action_flag_display()
        return isolated(str(told))

    @admin.display(description=_("what"))
    def kind(self, entry: LogEntry) -> str:
        return entry.content_type.name if entry.content_type else "-"
