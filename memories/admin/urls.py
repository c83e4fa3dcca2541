"""The pages of `AdminPage`, below /admin/. The project's urls include this before the site's own,
whose last pattern takes everything."""

from django.urls import URLPattern

app_name = "memories"

urlpatterns: list[URLPattern] = []
