"""What the buttons on a memory's page do, through the services. Called by its screen, in a
transaction; each returns what to tell the person and the log. They raise MemoriesError."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _

from memories.admin.memory_history import bring_back
from memories.errors import MemoriesError, ValidationFailed
from memories.services.forget import Deletion, forget_memories
from memories.services.restore import restore_memories

Told = tuple[str, str]
Mend = Callable[[Any, str], Told]


def delete_or_restore(request: Any, memory_id: str) -> Told:
    """As the button said that was pressed."""
    now, by = timezone.now(), request.user.get_username()
    if request.POST.get("do") == "restore":
        _check(restore_memories([memory_id], now, by))
        return _("The memory is alive again."), "Restored"
    _check(forget_memories([Deletion(memory_id, now, by)]))
    return _("The memory is deleted; it can be restored."), "Deleted"


def restore_version(request: Any, memory_id: str, version: int) -> Told:
    """What the memory held then, unless it has changed since the page was read."""
    read_at = _time(request.POST.get("read_at", ""))
    _check([bring_back(memory_id, version, read_at, request.user.get_username())])
    told = _("The memory holds again what it held in version %(version)s.") % {"version": version}
    return told, f"Restored version {version}"


def _check(results: Any) -> None:
    for result in results:
        if isinstance(result, MemoriesError):
            raise result


def _time(text: str) -> datetime:
    try:
        read_at = datetime.fromisoformat(text)
    except ValueError:
        read_at = None
    if read_at is None or read_at.tzinfo is None:
        raise ValidationFailed("read_at", _("Open the page anew, and try there."))
    return read_at
