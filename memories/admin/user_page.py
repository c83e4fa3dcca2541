"""The page of a user, or of an owner without one: profile, sessions, a timeline, and what an
assistant would be told now."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
from django import forms
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from memories import ids
from memories.admin import charts
from memories.admin.memory_form import JsonTextField
from memories.admin.pages import AdminPage, log_changes
from memories.content import read_object
from memories.errors import MemoriesError, ValidationFailed
from memories.models import Session, UserProfile
from memories.services.context import Context, ContextAsk, build_context
from memories.services.filters import Filter, Scope
from memories.services.named_owner import Owner, OwnerNotFound, owner_of
from memories.services.people import MOST_COUNTED, Holding, count_over_time, look_at_holding
from memories.services.profiles import ProfileChange, ProfileSeen, get_profiles, update_profiles

SESSIONS = 20
# The answer quotes memories.
ASKS = "memories.view_memoryentry"
_PREFERENCES_EDIT = "memories.change_userprofile"


class AskForm(forms.Form):
    """What an assistant would ask for."""

    query = forms.CharField(
        label=gettext_lazy("What is said or asked"),
        max_length=2_000,
        widget=UnfoldAdminTextInputWidget,
    )
    session = forms.ChoiceField(label=gettext_lazy("In the session"))

    def __init__(self, data: Any, session_ids: list[str]) -> None:
        super().__init__(data)
        choices = [(an_id, an_id) for an_id in session_ids]
        self.fields["session"] = forms.ChoiceField(
            label=self.fields["session"].label, choices=choices, widget=UnfoldAdminSelectWidget
        )


class PreferencesForm(forms.Form):
    preferences = JsonTextField(6, label=gettext_lazy("Preferences, as a JSON object"))
    read_at = forms.CharField(widget=forms.HiddenInput, required=False)

    def clean_preferences(self) -> bytes:
        raw = str(self.cleaned_data["preferences"]).encode()
        try:
            read_object(raw, "preferences")
        except ValidationFailed as error:
            raise forms.ValidationError(error.message) from error
        return raw


class UserPage(AdminPage):
    permission_required = ("memories.view_session", "memories.view_userprofile")
    template_name = "memories/user.html"

    answer: Mapping[str, Any] = {}

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """What is asked is answered before the page's transaction: it may embed, and wait."""
        if "query" in request.GET and request.user.has_perm(ASKS):
            self.answer = self._answer(known_owner(kwargs["owner_id"]).owner_id)
        return super().get(request, *args, **kwargs)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        owner_id: UUID = kwargs.setdefault("owner_id", self.kwargs["owner_id"])
        owner = known_owner(owner_id)
        user_id = owner.user_id
        sessions = list(_newest_sessions(owner_id)[: SESSIONS + 1])
        session_ids = [session.pk for session in sessions]
        holding = look_at_holding(owner_id)
        profile = get_profiles([user_id])[0] if user_id else None
        kwargs.setdefault("preferences_form", self._preferences_form(profile))
        return super().get_context_data(
            user_id=user_id,
            owner_name=name_of(owner),
            holding=holding,
            most_counted=MOST_COUNTED,
            profile=profile,
            profile_data=_indented(profile.profile_data) if profile else "",
            preferences=_indented(profile.preferences) if profile else "",
            sessions=sessions[:SESSIONS],
            has_more_sessions=len(sessions) > SESSIONS,
            timeline=_timeline(owner_id, holding),
            chart_options=charts.OPTIONS,
            **{"ask_form": AskForm(None, session_ids), **self.answer},
            **kwargs,
        ) | {"title": _title(owner)}

    def post(self, request: HttpRequest, owner_id: UUID) -> HttpResponse:
        """Save the preferences."""
        user_id = known_owner(owner_id).user_id
        if not user_id or not request.user.has_perm(_PREFERENCES_EDIT):
            raise PermissionDenied
        form = PreferencesForm(request.POST)
        if form.is_valid():
            try:
                with transaction.atomic():
                    _save_preferences(user_id, **form.cleaned_data)
                    # Not by the user's own id, which in the log would outlive an erasure.
                    log_changes(request, UserProfile, [str(owner_id)], "Changed preferences.")
            except MemoriesError as error:
                form.add_error("preferences", error.message)
        if form.errors:
            return self.render_to_response(self.get_context_data(preferences_form=form))
        return HttpResponseRedirect(request.path)

    def _preferences_form(self, profile: ProfileSeen | None) -> PreferencesForm | None:
        if profile is None or not self.request.user.has_perm(_PREFERENCES_EDIT):
            return None
        read_at = _told_time(profile.updated_at)
        shown = {"preferences": _indented(profile.preferences), "read_at": read_at}
        return PreferencesForm(initial=shown)

    def _answer(self, owner_id: UUID) -> dict[str, Any]:
        session_ids = [session.pk for session in _newest_sessions(owner_id)[: SESSIONS + 1]]
        form = AskForm(self.request.GET, session_ids)
        answer: dict[str, Any] = {"ask_form": form}
        if form.is_valid():
            of_session = Filter(Scope.SESSION, form.cleaned_data["session"], owner_id)
            try:
                answer["told"] = _told(ContextAsk(of_session, form.cleaned_data["query"]))
            except MemoriesError as error:
                answer["failure"] = error.message
        return answer


def _newest_sessions(owner_id: UUID) -> QuerySet[Session]:
    found = Session.objects.filter(owner_id=owner_id).defer("metadata", "summary")
    return found.order_by("-created_at", "id")


def known_owner(owner_id: UUID) -> Owner:
    """Raises Http404."""
    try:
        return owner_of(owner_id=owner_id)
    except OwnerNotFound as error:
        raise Http404 from error


def name_of(owner: Owner) -> str:
    """By which a person knows the owner: the user, else the newest session."""
    if owner.user_id:
        return owner.user_id
    of_owner = Session.objects.filter(owner_id=owner.owner_id).order_by("-created_at", "id")
    return of_owner.values_list("pk", flat=True).first() or owner.name


def _title(owner: Owner) -> str:
    named = _("User %(name)s") if owner.user_id else _("Session %(name)s")
    return named % {"name": name_of(owner)}


def _told(asked: ContextAsk) -> Context:
    if "\0" in asked.query:
        raise ValidationFailed("query", _("U+0000 cannot be searched for."))
    return build_context(asked)


def _save_preferences(user_id: str, preferences: bytes, read_at: str) -> None:
    """As they were typed: what is there no more is taken out. Raises MemoriesError, also where the
    profile has changed since it was read: what an assistant learned meanwhile is not typed."""
    keys = msgspec.json.Decoder(dict[str, msgspec.Raw])
    locked = UserProfile.objects.filter(owner_id=ids.owner_of_user(user_id), user_id=user_id)
    now = locked.select_for_update().values_list("updated_at", flat=True).first()
    if _told_time(now) != read_at:
        raise ValidationFailed(
            "preferences",
            _(
                "This profile was changed while you edited it; nothing was saved. Open the page "
                "anew and make your changes there."
            ),
        )
    [profile] = get_profiles([user_id])
    gone = keys.decode(profile.preferences).keys() - keys.decode(preferences).keys()
    merged = dict.fromkeys(gone, msgspec.Raw(b"null")) | keys.decode(preferences)
    change = ProfileChange(user_id, timezone.now(), msgspec.json.encode(merged))
    [result] = update_profiles([change])
    if isinstance(result, MemoriesError):
        raise result


def _told_time(at: datetime | None) -> str:
    return at.isoformat() if at else ""


def _timeline(owner_id: UUID, holding: Holding) -> str:
    """A chart of what came in, by a unit that gives some dozens of bars."""
    if not holding.first_at or not holding.last_at:
        return ""
    span = holding.last_at - holding.first_at
    unit = "day" if span < timedelta(days=60) else "week" if span < timedelta(days=500) else "month"
    counts = count_over_time(owner_id, unit, timezone.get_current_timezone_name())
    starts = sorted({start for start, _ in counts})
    form = "%b %Y" if unit == "month" else "%Y-%m-%d"
    return charts.stacked_bars(starts, [f"{start:{form}}" for start in starts], counts)


def _indented(raw: msgspec.Raw) -> str:
    return msgspec.json.format(bytes(raw), indent=2).decode()
