"""Pages that are no table: what each shares. `urls.py` names them, `navigation.py` shows them."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.mixins import PermissionRequiredMixin
from django.utils.functional import Promise
from django.views.generic import TemplateView


class AdminPage(PermissionRequiredMixin, TemplateView):
    """A page within the admin's frame, for those who hold `permission_required`.

    `template_name` extends "memories/page.html" and fills its block `page`. A subclass adds what
    its template shows in `get_context_data`.
    """

    title: str | Promise = ""
    raise_exception = True

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(
            **admin.site.each_context(self.request), title=self.title, **kwargs
        )

    @classmethod
    def as_page(cls) -> Any:
        """The view for `urls.py`: a visitor without an account is led to the login."""
        return admin.site.admin_view(cls.as_view())
