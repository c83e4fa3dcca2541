"""The pages of `AdminPage`, below /admin/. The project's urls include this before the site's own,
whose last pattern takes everything."""

from django.urls import path

from memories.admin.home import live_part
from memories.admin.imports import MarkRead
from memories.admin.map import MapPage, map_points
from memories.admin.models import ModelsPage, RetryFailed, SwitchModel
from memories.admin.sessions import EndSession, SummaryPage
from memories.admin.trash import Restore, TrashPage
from memories.admin.user_acts import EraseOwner, ExportOwner
from memories.admin.user_page import UserPage
from memories.admin.users import UsersPage

app_name = "memories"

urlpatterns = [
    path("imports/read/", MarkRead.as_act(), name="mark-read"),
    path("live/", live_part, name="home-live"),
    path("models/", ModelsPage.as_page(), name="models"),
    path("models/retry/", RetryFailed.as_act(), name="retry-failed"),
    path("models/switch/", SwitchModel.as_act(), name="switch-model"),
    path("sessions/end/", EndSession.as_act(), name="end-session"),
    path("sessions/summary/", SummaryPage.as_page(), name="summary"),
    path("trash/", TrashPage.as_page(), name="trash"),
    path("trash/restore/", Restore.as_act(), name="restore"),
    path("users/", UsersPage.as_page(), name="users"),
    path("users/<uuid:owner_id>/", UserPage.as_page(), name="user"),
    path("users/<uuid:owner_id>/erase/", EraseOwner.as_act(), name="erase-user"),
    path("users/<uuid:owner_id>/export/", ExportOwner.as_act(), name="export-user"),
    path("users/<uuid:owner_id>/map/", MapPage.as_page(), name="map"),
    path("users/<uuid:owner_id>/map/points/", map_points, name="map-points"),
]
