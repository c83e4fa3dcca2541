"""The sidebar: every page of the admin, in groups, each shown to those who may see it. The
settings of the theme name `sidebar`."""

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

Text = str | Promise


@dataclass(frozen=True, slots=True)
class Entry:
    """`url_name`: with its namespace. `permissions`: all that the page asks for. `icon`: a name of
    Material Symbols."""

    title: Text
    icon: str
    url_name: str
    permissions: tuple[str, ...] = ()


def _list(title: Text, icon: str, model: str, app: str = "memories") -> Entry:
    return Entry(title, icon, f"admin:{app}_{model}_changelist", (f"{app}.view_{model}",))


GROUPS: tuple[tuple[Text, tuple[Entry, ...]], ...] = (
    ("", (Entry(_("Home"), "home", "admin:index"),)),
    (
        _("What is known"),
        (
            _list(_("Memories"), "neurology", "memoryentry"),
            _list(_("Sessions"), "forum", "session"),
            Entry(
                _("Users"),
                "person",
                "memories:users",
                ("memories.view_session", "memories.view_userprofile"),
            ),
            _list(_("Profiles"), "contact_page", "userprofile"),
            _list(_("Relationships"), "hub", "relationship"),
            _list(_("Agent states"), "smart_toy", "agentstate"),
        ),
    ),
    (
        _("What happened"),
        (
            Entry(
                _("Trash"),
                "delete",
                "memories:trash",
                ("memories.view_memoryentry", "memories.view_revision"),
            ),
            _list(_("Revisions"), "history", "revision"),
            _list(_("Accesses"), "visibility", "accesslog"),
            _list(_("Answers kept"), "done_all", "requestkey"),
            _list(_("Imports"), "upload_file", "importreport"),
            _list(_("Erasures"), "delete_forever", "erasure"),
        ),
    ),
    (
        _("The machine"),
        (
            _list(_("Orchestrators"), "dns", "orchestrator"),
            Entry(
                _("Embedding models"),
                "model_training",
                "memories:models",
                ("memories.view_embeddingmodel", "memories.view_embeddingtask"),
            ),
            _list(_("Vectors"), "scatter_plot", "embedding"),
            _list(_("Embedding tasks"), "pending", "embeddingtask"),
            _list(_("Backups"), "backup", "backup"),
            _list(_("Retention policies"), "auto_delete", "retentionpolicy"),
            _list(_("Installation"), "settings", "installation"),
        ),
    ),
    (
        _("Who may look"),
        (
            _list(_("Log of changes"), "policy", "logentry", "admin"),
            _list(_("Accounts"), "badge", "user", "auth"),
            _list(_("Groups"), "groups", "group", "auth"),
        ),
    ),
)


def sidebar(request: HttpRequest) -> list[dict[str, Any]]:
    """The groups in the form of the theme, without what the account may not see."""
    found = []
    for title, entries in GROUPS:
        seen = [entry for entry in entries if _may_see(request, entry)]
        if seen:
            found.append({"title": title, "items": [_item(entry) for entry in seen]})
    return found


def _may_see(request: HttpRequest, entry: Entry) -> bool:
    return request.user.has_perms(entry.permissions)


def _item(entry: Entry) -> dict[str, Any]:
    return {"title": entry.title, "icon": entry.icon, "link": reverse(entry.url_name)}
