"""Retention policies: which there are, what they fit, and the soft deletion of that, slice by
slice. Called by the purge job, `manage.py retention` and `manage.py purge`."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import isfinite
from typing import Any, NamedTuple

from django.utils import timezone

from memories import changes, ids
from memories.changes import ALIVE, Target, rows
from memories.errors import ValidationFailed
from memories.limits import (
    HIGHEST_PRIORITY,
    LOWEST_PRIORITY,
    TAG_MAX_CHARACTERS,
    TYPE_MAX_CHARACTERS,
)
from memories.models import RetentionPolicy

CHANGED_BY = "retention"
MAX_DAYS = 36_500

# As many rows are looked at in one statement; what fits among them is deleted by the same.
SLICE = 1_000
# A pass looks at everything that is old enough, so that it is not made more often than it helps.
_PASS_EVERY = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class NewPolicy:
    name: str
    older_than_days: float
    memory_types: Sequence[str] = ()
    tags: Sequence[str] = ()
    max_priority: int | None = None


def add_policy(new: NewPolicy) -> None:
    """Raises ValidationFailed, also where the name is taken."""
    _check(new)
    _, is_new = RetentionPolicy.objects.get_or_create(
        name=new.name,
        defaults={
            "older_than_days": new.older_than_days,
            "memory_types": list(new.memory_types),
            "tags": list(new.tags),
            "max_priority": new.max_priority,
            "created_at": timezone.now(),
        },
    )
    if not is_new:
        raise ValidationFailed("name", f"There is a policy {new.name!r} already; remove it first.")


def remove_policy(name: str) -> bool:
    """Whether there was one of that name. What it has deleted stays deleted."""
    count, _ = RetentionPolicy.objects.filter(name=name).delete()
    return count > 0


def list_policies() -> list[RetentionPolicy]:
    return list(RetentionPolicy.objects.order_by("name"))


def due_policies(now: datetime) -> list[RetentionPolicy]:
    """Active ones whose last pass is a day ago, and those that are new or were changed."""
    active = RetentionPolicy.objects.filter(is_active=True).order_by("name")
    return [p for p in active if p.passed_at is None or p.passed_at <= now - _PASS_EVERY]


def count_fitting(policy: RetentionPolicy, now: datetime) -> int:
    """How many memories a pass would delete. Looks at all that are old enough."""
    [(count,)] = rows(
        f"SELECT count(*) FROM memory_entries m WHERE {ALIVE} AND m.created_at < %(limit)s"
        f" AND {_FITS}",
        _parameters(policy, now),
    )
    return int(count)


class _Place(NamedTuple):
    """Where a slice ended. Slices go from the oldest memory to the newest."""

    created_at: datetime
    id: str


@dataclass(slots=True)
class Pass:
    """One way of a policy through all that is old enough. All that it deletes bears one
    `operation_id`, so that it can be restored whole."""

    policy: RetentionPolicy
    now: datetime
    deleted: int = 0
    operation_id: str = field(default_factory=lambda: ids.new_operation_id(None))
    _reached: _Place | None = None

    def step(self) -> bool:
        """Look at a slice; returns whether there is more. Each is a transaction of its own."""
        found = rows(_SLICE.format(after=_AFTER if self._reached else ""), self._parameters())
        fitting = [Target(row[0], row[1], self.now, CHANGED_BY) for row in found if row[3]]
        self.deleted += len(changes.delete_softly(fitting, "bulk_delete", self.operation_id))
        if len(found) == SLICE:
            self._reached = _Place(found[-1][2], found[-1][1])
            return True
        self._note()
        return False

    def _parameters(self) -> dict[str, Any]:
        reached = self._reached or _Place(self.now, "")
        return _parameters(self.policy, self.now) | {"at": reached.created_at, "id": reached.id}

    def _note(self) -> None:
        # Not where the policy was changed meanwhile: then it is due anew.
        RetentionPolicy.objects.filter(id=self.policy.id, passed_at=self.policy.passed_at).update(
            passed_at=self.now,
            passed_count=self.deleted,
            passed_operation_id=self.operation_id if self.deleted else "",
        )


# Its age counts from its last change, and from when somebody wanted it back.
_FITS = """m.updated_at < %(limit)s
    AND (cardinality(%(types)s::text[]) = 0 OR m.memory_type = ANY(%(types)s::text[]))
    AND (cardinality(%(tags)s::text[]) = 0 OR m.tags && %(tags)s::varchar[])
    AND (%(priority)s::int IS NULL OR m.priority <= %(priority)s::int)
    AND NOT EXISTS (SELECT FROM revisions r WHERE r.owner_id = m.owner_id AND r.memory_id = m.id
        AND r.action = 'restore' AND r.changed_at >= %(limit)s)"""

# Backwards along the index `memories_newest`, whatever the policy: a slice is never a long scan.
_SLICE = f"""
SELECT m.owner_id, m.id, m.created_at, {_FITS} AND {ALIVE} AS fits
FROM memory_entries m
WHERE m.deleted_at IS NULL AND m.created_at < %(limit)s {{after}}
ORDER BY m.created_at, m.id DESC LIMIT {SLICE}"""

_AFTER = """AND m.created_at >= %(at)s
    AND (m.created_at > %(at)s OR m.id < %(id)s)"""


def _parameters(policy: RetentionPolicy, now: datetime) -> dict[str, Any]:
    return {
        "limit": now - timedelta(days=policy.older_than_days),
        "types": policy.memory_types,
        "tags": policy.tags,
        "priority": policy.max_priority,
    }


def _check(new: NewPolicy) -> None:
    for name, message in _faults(new):
        raise ValidationFailed(name, message)


def _faults(new: NewPolicy) -> Iterator[tuple[str, str]]:
    if not 1 <= len(new.name) <= 64 or not new.name.isprintable():
        yield "name", "The name of a policy has 1 to 64 printable characters."
    if not (isfinite(new.older_than_days) and 0 < new.older_than_days <= MAX_DAYS):
        yield "older_than_days", f"The age is above 0 and at most {MAX_DAYS} days."
    if any(not 1 <= len(each) <= TYPE_MAX_CHARACTERS for each in new.memory_types):
        yield "memory_types", f"A type has 1 to {TYPE_MAX_CHARACTERS} characters."
    if any(not 1 <= len(each) <= TAG_MAX_CHARACTERS for each in new.tags):
        yield "tags", f"A tag has 1 to {TAG_MAX_CHARACTERS} characters."
    priority = new.max_priority
    if priority is not None and not LOWEST_PRIORITY <= priority <= HIGHEST_PRIORITY:
        yield "max_priority", f"A priority is from {LOWEST_PRIORITY} to {HIGHEST_PRIORITY}."
