"""What a term names, as conditions that an index serves. Called by the screens and filters."""

import operator
from functools import reduce
from uuid import UUID

from django.db.models import Q

from memories import ids
from memories.models import Session
from memories.services.owners import names_of

PREFIX_SESSIONS = 50
NOTHING = Q(pk__in=[])


def of_memory(memory_id: str, *fields: str) -> Q:
    """Rows that name this memory in any of the fields."""
    name = names_of([memory_id]).get(memory_id)
    if name is None:
        return NOTHING
    return Q(owner_id=name.owner_id) & _any([Q(**{field: memory_id}) for field in fields])


def of_session(session_id: str) -> Q:
    """Rows of this session."""
    owner = Session.objects.filter(pk=session_id).values_list("owner_id", flat=True).first()
    return Q(owner_id=owner, session_id=session_id) if owner else NOTHING


def sessions_called(term: str) -> Q:
    """Rows of the session of this id; where there is none, of those whose ids begin so."""
    named = owners_of_called(term)
    if not named:
        return NOTHING
    owners, session_ids = zip(*named, strict=True)
    return Q(owner_id__in=set(owners), session_id__in=session_ids)


def owners_of_called(term: str) -> list[tuple[UUID, str]]:
    """The owners and ids of those sessions."""
    for called in (Q(pk=term), Q(pk__startswith=term)):
        found = Session.objects.filter(called).order_by("pk").values_list("owner_id", "pk")
        if named := list(found[:PREFIX_SESSIONS]):
            return named
    return []


def sessions_named(term: str) -> Q:
    """Sessions by their id or the beginning of it, or by user."""
    found = of_owner(term)
    return Q(pk__startswith=term) | found if found != NOTHING else Q(pk__startswith=term)


def of_owner(term: str) -> Q:
    """Rows of the user of this id, or of the owner of this UUID."""
    owner = owner_called(term)
    return Q(owner_id=owner) if Session.objects.filter(owner_id=owner).exists() else NOTHING


def owner_called(term: str) -> UUID:
    """The owner of the user of this id, or of this UUID; there need be none."""
    try:
        return UUID(term)
    except ValueError:
        return ids.owner_of_user(term)


def _any(conditions: list[Q]) -> Q:
    return reduce(operator.or_, conditions)
