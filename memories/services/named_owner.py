"""Whose data a person means: a user's, or that of a session without a user. Called by commands and
the admin."""

from dataclasses import dataclass
from uuid import UUID

from django.apps import apps

from memories import ids
from memories.changes import rows
from memories.errors import MemoriesError
from memories.models.owned import OwnedModel
from memories.services.proofs import begun_proof


class OwnerNotFound(MemoriesError):
    """Nothing is stored of this owner."""

    code = "validation_error"


@dataclass(frozen=True, slots=True)
class Owner:
    """`name`: by which a person asked. `user_id` is "" where no user is known."""

    owner_id: UUID
    name: str
    user_id: str = ""


def owned_tables() -> list[str]:
    """Every table of the assistants' data, the memories first: what points to them cannot come
    back once they are gone."""
    tables = {m._meta.db_table for m in apps.get_models() if issubclass(m, OwnedModel)}
    return sorted(tables, key=lambda table: (table != "memory_entries", table))


def owner_of(
    user: str = "", session: str = "", owner_id: UUID | None = None, or_half_erased: bool = False
) -> Owner:
    """By one of the three. `or_half_erased`: also one whose erasure was cut short when nothing
    was left. Raises OwnerNotFound where nothing of such an owner is stored."""
    if user:
        owner = Owner(ids.owner_of_user(user), user, user)
    elif session:
        owner = _of_session(session)
    else:
        assert owner_id is not None
        owner = Owner(owner_id, str(owner_id), _user_of(owner_id))
    is_known = _has_rows(owner.owner_id) or (or_half_erased and begun_proof(owner.owner_id))
    if not is_known:
        what = "session" if session else "user" if user else "owner"
        raise OwnerNotFound(f"Nothing is stored of a {what} {owner.name!r}.")
    return owner


def _of_session(session_id: str) -> Owner:
    found = rows("SELECT owner_id, user_id FROM sessions WHERE id = %s", [session_id])
    owner_id = ids.owner_in(session_id) or ids.owner_of_session(session_id)
    [(owner_id, user_id)] = found or [(owner_id, "")]
    user_id = user_id or _user_of(owner_id)
    if user_id:
        raise OwnerNotFound(f"The session {session_id!r} is the user {user_id!r}'s: name the user.")
    return Owner(owner_id, session_id)


def _user_of(owner_id: UUID) -> str:
    found = rows(
        """
        SELECT user_id FROM sessions WHERE owner_id = %s AND user_id <> ''
        UNION SELECT user_id FROM user_profiles WHERE owner_id = %s""",
        [owner_id, owner_id],
    )
    return next((user_id for (user_id,) in found if ids.owner_of_user(user_id) == owner_id), "")


def _has_rows(owner_id: UUID) -> bool:
    there = " OR ".join(
        f"EXISTS (SELECT FROM {table} WHERE owner_id = %(owner)s)" for table in owned_tables()
    )
    [(is_there,)] = rows(f"SELECT {there}", {"owner": owner_id})
    return bool(is_there)
