"""What the home page says of the machine's health, and of what waits for a person."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.template.defaultfilters import filesizeformat
from django.urls import reverse
from django.utils import timezone
from django.utils.timesince import timesince
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from memories.admin.orchestrators import those_alive
from memories.admin.sessions import LONG_OPEN
from memories.models import Orchestrator
from memories.services.backups import see_backups
from memories.services.embedding.models import active_model
from memories.services.health import is_crowded, is_late, is_old, newest_backup
from memories.services.imports import count_unread
from memories.services.overview import (
    MOST_COUNTED,
    Queue,
    count_open_sessions,
    look_at_database,
)

# Who may look at these tables may look at the home page's figures.
SEES = tuple(
    f"memories.view_{model}"
    for model in (
        "memoryentry",
        "orchestrator",
        "embeddingtask",
        "session",
        "backup",
        "importreport",
    )
)

GOOD, WARNING, BAD = "success", "warning", "danger"


@dataclass(frozen=True, slots=True)
class Check:
    """`state`: a label of the theme; `word` says the same to those who see no colours."""

    title: str
    state: str
    word: str
    value: str
    detail: str
    url: str


@dataclass(frozen=True, slots=True)
class Work:
    """Something that waits for a person."""

    icon: str
    text: str
    detail: str
    url: str


def look_after(orchestrators: Sequence[Orchestrator], queue: Queue) -> list[Check]:
    """`orchestrators`: those that have not said that they stopped."""
    return [
        _orchestrators(orchestrators),
        _database(),
        _embedder(queue),
        _lag(queue),
        _backup(),
    ]


def look_for_work(queue: Queue) -> list[Work]:
    found = []
    if queue.set_aside:
        text = ngettext(
            "%(count)s memory could not be embedded",
            "%(count)s memories could not be embedded",
            queue.set_aside,
        )
        detail = _("Each was tried several times and is not found by its meaning.")
        url = reverse("memories:models")
        found.append(Work("warning", text % {"count": bounded(queue.set_aside)}, detail, url))
    if open_sessions := count_open_sessions(timezone.now() - LONG_OPEN):
        text = ngettext(
            "%(count)s session was never ended",
            "%(count)s sessions were never ended",
            open_sessions,
        )
        detail = _("They began more than a week ago.")
        url = reverse("admin:memories_session_changelist", query={"state": "forgotten"})
        found.append(Work("hourglass_empty", text % {"count": bounded(open_sessions)}, detail, url))
    if unread := count_unread(MOST_COUNTED + 1):
        text = ngettext(
            "%(count)s report of an import is unread",
            "%(count)s reports of imports are unread",
            unread,
        )
        detail = _("It tells which rows were changed or skipped.")
        url = reverse("admin:memories_importreport_changelist", query={"state": "unread"})
        found.append(Work("upload_file", text % {"count": bounded(unread)}, detail, url))
    if failure := see_backups().failure:
        url = reverse("admin:memories_backup_changelist")
        found.append(Work("backup", _("The last backup failed"), failure.reason[:200], url))
    return found


def bounded(count: int) -> str:
    """A count that ended at its limit says so."""
    return f"{MOST_COUNTED:,}+" if count > MOST_COUNTED else f"{count:,}"


def _orchestrators(orchestrators: Sequence[Orchestrator]) -> Check:
    alive = len(those_alive(orchestrators))
    silent = len(orchestrators) - alive
    state, word = (BAD, _("none")) if not alive else (GOOD, _("alive"))
    detail = ""
    if silent:
        state = state if state == BAD else WARNING
        detail = _("%(count)s fell silent without a word") % {"count": silent}
    elif alive:
        since = min(one.started_at for one in orchestrators)
        detail = _("up for %(time)s") % {"time": timesince(since, depth=1)}
    value = ngettext("%(count)s alive", "%(count)s alive", alive) % {"count": alive}
    url = reverse("admin:memories_orchestrator_changelist")
    return Check(_("Orchestrators"), state, word, value, detail, url)


def _database() -> Check:
    database = look_at_database()
    state, word = (WARNING, _("crowded")) if is_crowded(database) else (GOOD, _("answers"))
    return Check(
        _("Database"),
        state,
        word,
        str(filesizeformat(database.size_bytes)),
        _("PostgreSQL %(version)s, %(count)s of %(most)s connections")
        % {
            "version": database.version.split()[0],
            "count": database.connections,
            "most": database.max_connections,
        },
        "",
    )


def _embedder(queue: Queue) -> Check:
    model = active_model()
    url = reverse("memories:models")
    if model is None:
        detail = _("Nothing is found by its meaning; words still are.")
        return Check(_("Embedder"), WARNING, _("none"), _("no active model"), detail, url)
    if queue.embedder_error:
        return Check(_("Embedder"), BAD, _("fails"), model.kind, queue.embedder_error, url)
    detail = _("%(name)s, %(count)s dimensions") % {"name": model.name, "count": model.dimension}
    return Check(_("Embedder"), GOOD, _("serves"), model.kind, detail, url)


def _lag(queue: Queue) -> Check:
    state, word = (WARNING, _("late")) if is_late(queue) else (GOOD, _("in time"))
    detail = _("%(count)s waiting") % {"count": bounded(queue.waiting)}
    if queue.failing:
        detail += ", " + _("%(count)s failing") % {"count": bounded(queue.failing)}
    return Check(
        _("Embedding lag"),
        state,
        word,
        _since_seconds(queue.oldest_seconds),
        detail,
        reverse("admin:memories_embeddingtask_changelist"),
    )


def _backup() -> Check:
    url = reverse("admin:memories_backup_changelist")
    seen = see_backups()
    last = newest_backup(seen)
    if last is None:
        value, detail = _("never"), _("No good backup is known.")
        return Check(_("Last good backup"), WARNING, _("none"), value, detail, url)
    state, word = (WARNING, _("old")) if is_old(last) else (GOOD, _("fresh"))
    if seen.failure:
        state, word = WARNING, _("failed since")
    return Check(_("Last good backup"), state, word, _ago(last.made_at), _moment(last.made_at), url)


def _since_seconds(seconds: float) -> str:
    if seconds < 60:
        return _("%(count).1f s") % {"count": seconds}
    return timesince(timezone.now() - timedelta(seconds=seconds), depth=1)


def _ago(at: datetime) -> str:
    return _("%(time)s ago") % {"time": timesince(at, depth=1)}


def _moment(at: datetime) -> str:
    return f"{timezone.localtime(at):%Y-%m-%d %H:%M %Z}"
