"""The pages of `AdminPage`, below /admin/. The project's urls include this before the site's own,
whose last pattern takes everything."""

from django.urls import path

from memories.admin.home import live_part

app_name = "memories"

urlpatterns = [
    path("live/", live_part, name="home-live"),
]
