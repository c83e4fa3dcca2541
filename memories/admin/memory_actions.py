"""What is done to the memories that are chosen in their list, through the services."""

from collections.abc import Sequence
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from memories.admin.inspection import ACTION_LIMIT, InspectionAdmin, chosen
from memories.errors import MemoriesError
from memories.ids import new_operation_id
from memories.services.forget import Deletion, forget_memories
from memories.services.owners import names_of
from memories.services.restore import restore_memories


@admin.action(
    description=_("Delete selected memories (they can be restored)"), permissions=["change"]
)
def delete_softly(screen: InspectionAdmin, request: HttpRequest, queryset: QuerySet[Any]) -> None:
    at, by = timezone.now(), request.user.get_username()
    if memory_ids := _chosen(screen, request, queryset):
        deletions = [Deletion(an_id, at, by) for an_id in memory_ids]
        results = forget_memories(deletions, _operation_of(memory_ids))
        count = _log(screen, request, memory_ids, results, "Deleted")
        told = ngettext(
            "%(count)s memory is deleted; the state Deleted shows it.",
            "%(count)s memories are deleted; the state Deleted shows them.",
            count,
        )
        _say(screen, request, told, count)


@admin.action(description=_("Restore selected memories"), permissions=["change"])
def restore(screen: InspectionAdmin, request: HttpRequest, queryset: QuerySet[Any]) -> None:
    if memory_ids := _chosen(screen, request, queryset):
        results = restore_memories(memory_ids, timezone.now(), request.user.get_username())
        count = _log(screen, request, memory_ids, results, "Restored")
        told = ngettext(
            "%(count)s memory is alive again.", "%(count)s memories are alive again.", count
        )
        _say(screen, request, told, count)


def _chosen(screen: InspectionAdmin, request: HttpRequest, queryset: QuerySet[Any]) -> list[str]:
    memory_ids = chosen(queryset)
    if len(memory_ids) <= ACTION_LIMIT:
        return memory_ids
    told = gettext("An action takes up to %(count)s memories; nothing was done.")
    screen.message_user(request, told % {"count": f"{ACTION_LIMIT:,}"}, messages.ERROR)
    return []


def _log(
    screen: InspectionAdmin,
    request: HttpRequest,
    memory_ids: list[str],
    results: Sequence[Any],
    what: str,
) -> int:
    """Returns how many it was done to."""
    told = zip(memory_ids, results, strict=True)
    done = [an_id for an_id, result in told if not isinstance(result, MemoriesError)]
    screen.log_changes(request, done, what)
    return len(done)


def _say(screen: InspectionAdmin, request: HttpRequest, told: str, count: int) -> None:
    screen.message_user(request, told % {"count": f"{count:,}"}, messages.SUCCESS)


def _operation_of(memory_ids: Sequence[str]) -> str:
    """By which the trash brings several back together; one alone needs none."""
    if len(memory_ids) < 2:
        return ""
    owners = {name.owner_id for name in names_of(memory_ids).values()}
    return new_operation_id(owners.pop() if len(owners) == 1 else None)
