"""Sessions: the list, the page with what is in one, and the actions that end them."""

from datetime import timedelta
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from memories.admin.counting import BoundedPaginator
from memories.admin.dialogue import read_dialogue
from memories.admin.filters import AgeFilter, ChoiceFilter
from memories.admin.finding import sessions_named
from memories.admin.inspection import ACTION_LIMIT, InspectionAdmin, chosen, shown_json
from memories.admin.pages import AdminAct, AdminPage, log_changes, posted
from memories.admin.rendering import EMPTY, list_link, moment, user_link
from memories.models import AgentState, MemoryEntry, Session
from memories.services.filters import Filter, Scope
from memories.services.sessions import end_session
from memories.services.summarize import summarize_memories

# A session that began before that and has no end was probably forgotten.
LONG_OPEN = timedelta(days=7)


class ArchivedFilter(ChoiceFilter):
    title = gettext_lazy("archive")
    parameter_name = "archived"
    labels = {"no": gettext_lazy("Not archived"), "yes": gettext_lazy("Archived")}

    def narrow(self, queryset: QuerySet[Any], value: str | None) -> QuerySet[Any]:
        return queryset.filter(is_archived=value == "yes") if value else queryset


class EndFilter(ChoiceFilter):
    title = gettext_lazy("end")
    parameter_name = "state"
    labels = {
        "open": gettext_lazy("Not ended"),
        "forgotten": gettext_lazy("Never ended"),
        "ended": gettext_lazy("Ended"),
    }

    def narrow(self, queryset: QuerySet[Any], value: str | None) -> QuerySet[Any]:
        if value == "forgotten":
            begun_before = timezone.now() - LONG_OPEN
            return queryset.filter(ended_at=None, is_archived=False, created_at__lt=begun_before)
        return queryset.filter(ended_at__isnull=value == "open") if value else queryset


@admin.register(Session)
class SessionAdmin(InspectionAdmin):
    list_display = ("id", "of_user", "session_type", "created_at", "ended_at", "is_archived")
    list_fields = ("user_id", "session_type", "created_at", "ended_at", "is_archived", "owner_id")
    list_filter = (AgeFilter, EndFilter, ArchivedFilter)
    ordering = ("-created_at", "pk")
    search_help_text = gettext_lazy(
        "The beginning of a session's id, or the id of a user or owner."
    )
    actions = ("end", "archive")
    change_form_outer_before_template = "memories/session_dialogue.html"
    json_fields = ("metadata",)
    fields = (
        ("id", "session_type"),
        ("of_user", "owner_id"),
        ("created_at", "updated_at"),
        ("ended_at", "is_archived"),
        "metadata_shown",
        "memories",
    )

    metadata_shown = shown_json("metadata")

    def named(self, term: str) -> Q:
        return sessions_named(term)

    def has_end_permission(self, request: HttpRequest) -> bool:
        """The page stays read-only; who may change sessions may end them."""
        return admin.ModelAdmin.has_change_permission(self, request)

    @admin.action(description=gettext_lazy("End selected sessions"), permissions=["end"])
    def end(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        self._end(request, queryset, archive=False)

    @admin.action(
        description=gettext_lazy("End and archive selected sessions"), permissions=["end"]
    )
    def archive(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        self._end(request, queryset, archive=True)

    def _end(self, request: HttpRequest, queryset: QuerySet[Any], *, archive: bool) -> None:
        session_ids = chosen(queryset)
        if len(session_ids) > ACTION_LIMIT:
            problem = _("An action takes up to %(count)s sessions; nothing was done.")
            self.message_user(request, problem % {"count": f"{ACTION_LIMIT:,}"}, messages.ERROR)
            return
        for session_id in session_ids:
            end_session(session_id, timezone.now(), archive=archive)
        self.log_changes(request, session_ids, "Archived" if archive else "Ended")
        count = len(session_ids)
        ended = ngettext("%(count)s session ended.", "%(count)s sessions ended.", count)
        archived = ngettext("%(count)s session archived.", "%(count)s sessions archived.", count)
        told = (archived if archive else ended) % {"count": f"{count:,}"}
        self.message_user(request, told, messages.SUCCESS)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        session = self.get_object(request, unquote(object_id))
        if session is not None and self.has_view_permission(request, session):
            extra_context = (extra_context or {}) | self._conversation(request, session)
        response: HttpResponse = super().change_view(request, object_id, form_url, extra_context)
        return response

    def _conversation(self, request: HttpRequest, session: Session) -> dict[str, Any]:
        """What was said is shown to those who may look at memories."""
        told: dict[str, Any] = {
            "title": _("Session %(id)s") % {"id": session.pk},
            "session": session,
            "may_end": self.has_end_permission(request),
        }
        if request.user.has_perm("memories.view_memoryentry"):
            told["dialogue"] = read_dialogue(session, request.GET.get("before", ""))
        return told

    @admin.display(description=gettext_lazy("user"))
    def of_user(self, session: Session) -> str | SafeString:
        return user_link(session.owner_id, session.user_id) if session.user_id else EMPTY

    @admin.display
    def memories(self, session: Session) -> SafeString:
        alive = MemoryEntry.objects.filter(owner_id=session.owner_id, session_id=session.pk)
        paginator = BoundedPaginator(alive.order_by("-created_at", "pk"), 1)
        told = _("about %(count)s alive") if paginator.is_estimate else _("%(count)s alive")
        return format_html(
            "{} · {} · {}",
            list_link(MemoryEntry, told % {"count": f"{paginator.count:,}"}, session=session.pk),
            list_link(MemoryEntry, _("deleted ones"), session=session.pk, state="deleted"),
            list_link(AgentState, _("agent states"), q=session.pk),
        )


class SummaryPage(AdminPage):
    """What was said, summed up: a POST, since it may ask a chat model, which costs."""

    permission_required = ("memories.view_session", "memories.view_memoryentry")
    template_name = "memories/summary.html"
    http_method_names = ("post",)
    title = gettext_lazy("Summary")

    def post(self, request: HttpRequest) -> HttpResponse:
        session = Session.objects.filter(pk=posted(request, "session_id")).first()
        if session is None:
            raise Http404
        of_session = Filter(Scope.SESSION, session.pk, session.owner_id)
        summary = summarize_memories(of_session)
        return self.render_to_response(self.get_context_data(session=session, summary=summary))


class EndSession(AdminAct):
    """The buttons of a session's page."""

    permission_required = "memories.change_session"

    def act(self, request: HttpRequest) -> str:
        session_id = posted(request, "session_id")
        archive = "archive" in request.POST
        ended = end_session(session_id, timezone.now(), archive=archive)
        log_changes(request, Session, [session_id], "Archived" if archive else "Ended")
        if archive:
            return _("The session is archived.")
        return _("The session is ended since %(at)s.") % {"at": moment(ended.ended_at)}
