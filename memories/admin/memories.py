"""Memories: the list with what is deleted or expired on request, the page, and the form."""

from functools import partial
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin import helpers
from django.contrib.admin.utils import flatten_fieldsets, quote, unquote
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import BooleanField, Case, Prefetch, QuerySet, Value, When
from django.db.models.functions import Now
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path, reverse
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.timesince import timesince, timeuntil
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldBooleanWidget

from memories.admin.expressions import beginning
from memories.admin.finding import of_memory
from memories.admin.inspection import InspectionAdmin, shown_json
from memories.admin.memory_actions import delete_softly, restore
from memories.admin.memory_filters import FILTERS, TIMES, state_asked_for
from memories.admin.memory_form import MemoryForm, uneditable_fields
from memories.admin.memory_mending import Mend, delete_or_restore, restore_version
from memories.admin.memory_panels import panels_of
from memories.admin.memory_search import Hit, MemoryList, load_embedder, search
from memories.admin.rendering import excerpt, isolated, link, list_link, moment, passage
from memories.errors import MemoriesError
from memories.models import MemoryEntry, Session

_HAS_EXPIRED = Case(
    When(expires_at__lte=Now(), then=Value(True)),
    default=Value(False),
    output_field=BooleanField(),
)
_BEGINNING = Case(When(text="", then=beginning("content")), default=beginning("text"))


@admin.register(MemoryEntry)
class MemoryEntryAdmin(InspectionAdmin):
    form = MemoryForm
    list_display = (
        "what",
        "created_at",
        "state",
        "memory_type",
        "priority",
        "in_session",
        "of_user",
    )
    list_filter = FILTERS
    list_before_template = "memories/search_note.html"
    list_fields = (
        "owner_id",
        "session_id",
        "memory_type",
        "priority",
        "created_at",
        "expires_at",
        "deleted_at",
    )
    json_fields = ("content",)
    search_help_text = _("Words, a question, or the id of a memory")
    change_form_outer_before_template = "memories/memory_top.html"
    change_form_outer_after_template = "memories/memory_panels.html"
    actions = (delete_softly, restore)
    fieldsets: Any = (
        (None, {"fields": ("memory_type", "content_json", "tags_json", "priority", "read_at")}),
        (
            _("What it is"),
            {"fields": ("state", "expires", "in_session", "of_user", "created_at", "updated_at")},
        ),
        (
            _("More"),
            {
                "classes": ("collapse",),
                "fields": (
                    "id",
                    "owner_id",
                    "source_agent",
                    "created_by",
                    "speaker",
                    "version",
                    "content_version",
                    "deleted_at",
                ),
            },
        ),
    )
    edited_fields = ("memory_type", "content_json", "tags_json", "priority", "read_at")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """A memory by its id, else what the search finds, which the list puts in its order."""
        if not (term := search_term.strip()):
            return queryset, False
        if MemoryEntry.all_objects.filter(named := of_memory(term, "pk")).exists():
            return queryset.filter(named), False
        found = request.memory_search = search(request, term)  # type: ignore[attr-defined]
        return queryset.filter(owner_id__in=found.owners, pk__in=found.hits.keys()), False

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return MemoryList

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        if request.GET.get("q"):
            load_embedder()
        return super().changelist_view(request, extra_context)

    def everything(self) -> Any:
        return MemoryEntry.all_objects.annotate(has_expired=_HAS_EXPIRED)

    def for_list(self, queryset: QuerySet[Any]) -> Any:
        users = Prefetch("session", Session.objects.only("id", "user_id"))
        shortened = super().for_list(queryset).annotate(beginning=_BEGINNING)
        return shortened.prefetch_related(users)

    def for_page(self, queryset: QuerySet[Any]) -> Any:
        return super().for_page(queryset).defer("content", "search")

    def get_ordering(self, request: HttpRequest) -> tuple[str, ...]:
        if time := TIMES.get(state_asked_for(request)):
            return (f"-{time}", "pk")
        return ("pk",)

    def get_list_display(self, request: HttpRequest) -> tuple[str, ...]:
        """What a search found says why; its state is known."""
        if not request.GET.get("q"):
            return self.list_display
        return ("what", "match", *(name for name in self.list_display[1:] if name != "state"))

    # Who may do what

    def may_change(self, request: HttpRequest) -> bool:
        return bool(admin.ModelAdmin.has_change_permission(self, request))

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """What is gone is only shown; a form that was sent is told so in its own words."""
        editable = (
            obj is None or request.method == "POST" or not (obj.deleted_at or obj.has_expired)
        )
        return editable and admin.ModelAdmin.has_change_permission(self, request, obj)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        fields = [
            name for name in flatten_fieldsets(self.fieldsets) if name not in self.edited_fields
        ]
        return fields + list(uneditable_fields(obj) if obj else ())

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """Only those that can do something to what the list shows."""
        actions: dict[str, Any] = super().get_actions(request)
        match state_asked_for(request):
            case "deleted" | "expired":
                actions.pop("delete_softly", None)
            case "" | "unembedded":
                actions.pop("restore", None)
        return actions

    # What a person changes

    def get_urls(self) -> list[Any]:
        """Buttons of the page, which are forms of their own."""
        prefix, view = "memories_memoryentry", self.admin_site.admin_view
        own = [
            path("<path:object_id>/fate/", view(self.decide_fate), name=f"{prefix}_fate"),
            path(
                "<path:object_id>/version/<int:version>/",
                view(self.bring_back_version),
                name=f"{prefix}_version",
            ),
        ]
        return [*own, *super().get_urls()]

    def decide_fate(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._mend(request, object_id, delete_or_restore)

    def bring_back_version(
        self, request: HttpRequest, object_id: str, version: int
    ) -> HttpResponse:
        return self._mend(request, object_id, partial(restore_version, version=version))

    def _mend(self, request: HttpRequest, object_id: str, mend: Mend) -> HttpResponse:
        """Do it and tell it, to those who may, and lead back to the page."""
        if request.method != "POST" or not self.may_change(request):
            raise PermissionDenied
        memory_id = unquote(object_id)
        try:
            with transaction.atomic():
                told, logged = mend(request, memory_id)
                self.log_changes(request, [memory_id], logged)
            self.message_user(request, told, messages.SUCCESS)
        except MemoriesError as error:
            self.message_user(request, error.message, messages.ERROR)
        return HttpResponseRedirect(
            reverse("admin:memories_memoryentry_change", args=[quote(memory_id)])
        )

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        form.revise(request.user.get_username())

    # What is shown

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> Any:
        if memory := kwargs.get("obj"):
            context["panels"] = panels_of(memory, request.user)
        return super().render_change_form(request, context, *args, **kwargs)

    def action_checkbox(self, obj: Any) -> SafeString:
        """Django's own names the row by str(), which would read the whole text of each."""
        label = gettext("Select %(id)s for an action") % {"id": obj.pk}
        checkbox = UnfoldBooleanWidget(
            {"class": "action-select", "aria-label": label}, lambda _: False
        )
        return SafeString(checkbox.render(helpers.ACTION_CHECKBOX_NAME, obj.pk))

    content_json = shown_json("content")

    @admin.display(description=_("memory"))
    def what(self, memory: Any) -> SafeString:
        hit = getattr(memory, "hit", None)
        return passage(hit.passage) if hit else excerpt(memory.beginning)

    @admin.display(description=_("match"))
    def match(self, memory: Any) -> str:
        """The rank is by relevance, which weighs the words, the age and the priority as well: a
        memory that is less similar may stand higher."""
        hit: Hit | None = getattr(memory, "hit", None)
        if hit is None:  # found by its id
            return "-"
        return gettext("%(rank)s. · %(share)s similar · %(words)s") % {
            "rank": hit.place + 1,
            "share": f"{hit.score:.0%}",
            "words": ", ".join(hit.passage.words) or gettext("by its meaning"),
        }

    @admin.display(description=_("session"))
    def in_session(self, memory: Any) -> SafeString:
        return link(Session, memory.session_id)

    @admin.display(description=_("user"))
    def of_user(self, memory: Any) -> SafeString:
        user_id = memory.session.user_id
        return list_link(MemoryEntry, user_id, user=user_id) if user_id else isolated("-")

    @admin.display(description=_("state"))
    def state(self, memory: Any) -> str:
        if memory.deleted_at:
            return gettext("deleted")
        return gettext("expired") if memory.has_expired else gettext("alive")

    @admin.display(description=_("expires"))
    def expires(self, memory: Any) -> str:
        if memory.expires_at is None:
            return str(_("never"))
        now, at = timezone.now(), memory.expires_at
        told = _("in %(time)s") if at > now else _("%(time)s ago")
        distance = timeuntil(at, now) if at > now else timesince(at, now)
        return f"{moment(at)} ({told % {'time': distance}})"

    @admin.display(description=_("tags"))
    def tags_json(self, memory: Any) -> SafeString:
        return isolated(", ".join(memory.tags) or "-")

    @admin.display
    def read_at(self, memory: Any) -> str:
        return "-"
