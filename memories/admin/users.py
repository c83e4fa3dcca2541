"""The users: whoever talked last comes first, and any of them by their id."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from memories.admin.pages import AdminPage
from memories.services.people import find_owner, list_people

PEOPLE = 50


class UsersPage(AdminPage):
    title = gettext_lazy("Users")
    permission_required = ("memories.view_session", "memories.view_userprofile")
    template_name = "memories/users.html"

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        term = request.GET.get("q", "").replace("\0", "").strip()
        if not term:
            return super().get(request, *args, **kwargs)
        if owner_id := find_owner(term):
            return redirect("memories:user", owner_id)
        messages.warning(request, _("No user, session or owner has the id %(id)s.") % {"id": term})
        return redirect("memories:users")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        after = self.request.GET.get("after", "").replace("\0", "")
        found = list_people(PEOPLE + 1, after)
        shown = found[:PEOPLE]
        more = shown[-1].session_id if len(found) > PEOPLE else ""
        return super().get_context_data(people=shown, more=more, after=after, **kwargs)
