"""The trash: what was deleted, a deletion at a time, and how to undo it."""

from datetime import datetime
from typing import Any

from django.http import HttpRequest
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from memories.admin.pages import AdminAct, AdminPage, log_changes, posted
from memories.errors import MemoriesError, MemoryNotFound
from memories.models import MemoryEntry
from memories.services.restore import restore_memories, restore_operation
from memories.services.trash import MOST_COUNTED, list_deletions

MOMENTS = 50
_MOST_RESTORED = 1_000


class TrashPage(AdminPage):
    title = gettext_lazy("Trash")
    permission_required = ("memories.view_memoryentry", "memories.view_revision")
    template_name = "memories/trash.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        before = _moment(self.request.GET.get("before", ""))
        deletions = list_deletions(MOMENTS, before)
        moments = {deletion.at for deletion in deletions}
        return super().get_context_data(
            deletions=deletions,
            most_counted=MOST_COUNTED,
            before=before,
            older=min(moments).isoformat() if len(moments) == MOMENTS else "",
            may_restore=self.request.user.has_perm("memories.change_memoryentry"),
            **kwargs,
        )


class Restore(AdminAct):
    """Bring back the memories named, or all that a bulk delete took."""

    permission_required = "memories.change_memoryentry"

    def act(self, request: HttpRequest) -> str:
        operation_id = posted(request, "operation_id")
        return _undo(request, operation_id) if operation_id else _restore(request)


def _undo(request: HttpRequest, operation_id: str) -> str:
    gone = restore_operation(operation_id, timezone.now(), request.user.get_username())
    if not gone:
        raise MemoryNotFound(_("There is nothing left to undo of it."))
    # One line for the whole of it, by the name that its revisions carry as well.
    log_changes(request, MemoryEntry, [operation_id], f"Undid a bulk delete of {len(gone)}")
    return _told(len(gone))


def _restore(request: HttpRequest) -> str:
    named = [an_id.replace("\0", "") for an_id in request.POST.getlist("memory_id")]
    memory_ids = list(dict.fromkeys(named))[:_MOST_RESTORED]
    results = restore_memories(memory_ids, timezone.now(), request.user.get_username())
    back = [
        an_id
        for an_id, result in zip(memory_ids, results, strict=True)
        if not isinstance(result, MemoriesError)
    ]
    if not back:
        raise MemoryNotFound(_("None of them is there any more."))
    log_changes(request, MemoryEntry, back, "Restored")
    return _told(len(back))


def _told(count: int) -> str:
    text = ngettext(
        "%(count)s memory is alive again.", "%(count)s memories are alive again.", count
    )
    return text % {"count": f"{count:,}"}


def _moment(text: str) -> datetime | None:
    try:
        at = parse_datetime(text)
    except ValueError:
        return None
    return at if at is not None and timezone.is_aware(at) else None
