"""What every screen of the admin shares: it reads, its list is quick at a million rows, and what
takes too long is stopped."""

import json
from collections.abc import Callable, Sequence
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.admin.views.main import ChangeList as DjangoChangeList
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import PermissionDenied
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.translation import gettext as _
from unfold.admin import ModelAdmin

from memories.admin.counting import BoundedPaginator
from memories.admin.expressions import is_cut, pretty
from memories.admin.limits import PAGE_SECONDS, TookTooLong, limited_time
from memories.admin.pages import rendered, too_slow
from memories.admin.paging import KeysetList
from memories.admin.rendering import preformatted

ACTION_LIMIT = 1_000
_REPR_CHARACTERS = LogEntry._meta.get_field("object_repr").max_length


class InspectionAdmin(ModelAdmin):
    """A read-only screen.

    `ordering` ends with the primary key and follows an index. `list_fields` are the only columns
    that the list reads. `search_help_text` says what the search field takes; `named` turns it into
    conditions that an index serves. No field of `json_fields` is read by the list; the page shows
    it through `shown_json`.
    """

    list_fields: tuple[str, ...] = ()
    json_fields: tuple[str, ...] = ()

    actions: tuple[str | Callable[..., None], ...] = ()
    list_per_page = 50
    list_filter_submit = True
    list_fullwidth = True
    paginator = BoundedPaginator
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    sortable_by = ()

    def named(self, term: str) -> Q:
        raise NotImplementedError

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def log_changes(self, request: Any, keys: Sequence[str], message: str) -> None:
        """Tell in Django's log what the account did to these rows. By their keys alone: a text
        of a memory in the log would outlive it."""
        LogEntry.objects.bulk_create(
            LogEntry(
                user_id=request.user.pk,
                content_type=ContentType.objects.get_for_model(self.model),
                object_id=key,
                object_repr=key[:_REPR_CHARACTERS],
                action_flag=CHANGE,
                change_message=message,
            )
            for key in keys
        )

    def log_change(self, request: HttpRequest, obj: Model, message: Any) -> None:
        """Called by Django for a form that was saved, also where nothing in it had changed."""
        if message:
            self.log_changes(request, [str(obj.pk)], json.dumps(message))

    def lookup_allowed(self, lookup: str, value: str, request: Any = None) -> bool:
        """Only filters and search reach the database; `?text__icontains=` would read all of it."""
        return lookup in {getattr(known, "parameter_name", "") for known in self.list_filter}

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[DjangoChangeList]:
        return KeysetList

    def get_search_fields(self, request: HttpRequest) -> tuple[str, ...]:
        """Whether there is a search field; `named` says what it does."""
        return ("pk",) if self.search_help_text else ()

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        if term := search_term.strip():
            queryset = queryset.filter(self.named(term))
        return queryset, False

    def get_object(self, request: HttpRequest, object_id: str, from_field: Any = None) -> Any:
        if "\0" in object_id:  # PostgreSQL refuses it in any text
            return None
        return super().get_object(request, object_id, from_field)

    def get_queryset(self, request: HttpRequest) -> Any:
        match = request.resolver_match
        is_list = match is not None and (match.url_name or "").endswith("_changelist")
        return self.for_list(self.everything()) if is_list else self.for_page(self.everything())

    def everything(self) -> Any:
        return self.model._default_manager.all()

    def for_list(self, queryset: QuerySet[Any]) -> Any:
        return queryset.only(*self.list_fields)

    def for_page(self, queryset: QuerySet[Any]) -> Any:
        shown = {f"{field}_pretty": pretty(field) for field in self.json_fields}
        return queryset.defer(*self.json_fields).annotate(**shown)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        try:
            with limited_time():
                response: HttpResponse = super().changelist_view(request, extra_context)
        except TookTooLong:
            return self._refuse_slow_list(request)
        return response

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """A page that is only looked at; what is saved takes the time that it takes."""
        view: Callable[..., HttpResponse] = super().changeform_view
        if request.method != "GET":
            return view(request, *args, **kwargs)
        try:
            with limited_time():
                return rendered(view(request, *args, **kwargs))
        except TookTooLong:
            return too_slow(request)

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """It is a part of the log, which not everybody may read."""
        if not request.user.has_perm("admin.view_logentry"):
            raise PermissionDenied
        response: HttpResponse = super().history_view(request, object_id, extra_context)
        return response

    def _refuse_slow_list(self, request: HttpRequest) -> HttpResponse:
        self.message_user(
            request,
            _(
                "That list took more than %(count)s seconds and was stopped; search for one user "
                "or session, or choose a shorter time."
            )
            % {"count": PAGE_SECONDS},
            messages.ERROR,
        )
        return HttpResponseRedirect(request.path)


def shown_json(field: str) -> Any:
    """A read-only field that shows one of `json_fields`, indented."""

    def show(screen: InspectionAdmin, row: Any) -> str:
        text: str = getattr(row, f"{field}_pretty")
        return preformatted(f"{text}\n… cut off here" if is_cut(text) else text)

    return admin.display(description=field.replace("_", " "))(show)


def chosen(queryset: QuerySet[Any]) -> list[str]:
    """The primary keys that an action was called for; one more than ACTION_LIMIT if too many."""
    return list(queryset.order_by().values_list("pk", flat=True)[: ACTION_LIMIT + 1])
