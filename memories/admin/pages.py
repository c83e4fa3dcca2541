"""Pages that are no table: what each shares. `urls.py` names them, `navigation.py` shows them."""

from typing import Any

from django.contrib import admin, messages
from django.contrib.auth.mixins import PermissionRequiredMixin
from django.db import transaction
from django.db.models import Model
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views import View
from django.views.generic import TemplateView

from memories.admin.limits import PAGE_SECONDS, TookTooLong, limited_time
from memories.errors import MemoriesError


class AdminPage(PermissionRequiredMixin, TemplateView):
    """A page within the admin's frame, for those who hold `permission_required`.

    `template_name` extends "memories/page.html" and fills its block `page`. A subclass adds what
    its template shows in `get_context_data`.
    """

    title: str | Promise = ""
    raise_exception = True

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            with limited_time():
                return rendered(super().get(request, *args, **kwargs))
        except TookTooLong:
            return too_slow(request)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(
            **admin.site.each_context(self.request), title=self.title, **kwargs
        )

    @classmethod
    def as_page(cls) -> Any:
        """The view for `urls.py`: a visitor without an account is led to the login."""
        return admin.site.admin_view(cls.as_view())


class AdminAct(PermissionRequiredMixin, View):
    """What a button of a page does: a POST by those who hold `permission_required`, in one
    transaction with its line in the log, which then leads back to where the field `next` says, with
    a message."""

    raise_exception = True
    http_method_names = ("post",)

    def act(self, request: HttpRequest) -> str:
        """Do it; returns what is told of it. Raises MemoriesError."""
        raise NotImplementedError

    def post(self, request: HttpRequest) -> HttpResponse:
        try:
            with transaction.atomic():
                told = self.act(request)
            messages.success(request, told)
        except MemoriesError as error:
            messages.error(request, error.message)
        return HttpResponseRedirect(_safe(request, request.POST.get("next", "")))

    @classmethod
    def as_act(cls) -> Any:
        """The view for `urls.py`."""
        return admin.site.admin_view(cls.as_view())


def rendered(response: HttpResponse) -> HttpResponse:
    """A template asks the database, too: render it while its time is limited."""
    return response.render() if isinstance(response, TemplateResponse) else response


def too_slow(request: HttpRequest) -> HttpResponse:
    context = admin.site.each_context(request) | {
        "title": _("That took too long"),
        "seconds": PAGE_SECONDS,
    }
    return TemplateResponse(request, "memories/too_slow.html", context, status=503)


def log_changes(request: HttpRequest, model: type[Model], keys: list[str], message: str) -> None:
    """Tell in Django's log what the account did to these rows."""
    screen: Any = admin.site.get_model_admin(model)
    screen.log_changes(request, keys, message)


def posted(request: HttpRequest, name: str) -> str:
    """A field of a button's form, without what PostgreSQL refuses in any text."""
    return request.POST.get(name, "").replace("\0", "")


def _safe(request: HttpRequest, url: str) -> str:
    is_ours = url_has_allowed_host_and_scheme(url, {request.get_host()}, request.is_secure())
    return url if is_ours else reverse("admin:index")
