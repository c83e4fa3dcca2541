"""Which ids of an old store can be kept, and what stands in for the others."""

import re

from memories.ids import ID_MAX_CHARACTERS, owner_in
from memories.importers.rows import SessionName, own_of
from memories.importers.values import Cleaned

_UNFIT = re.compile(r"[\x00-\x1f\x7f]")


def session_name(user_id: str, an_id: Cleaned, store: str) -> SessionName:
    """Of a row that has no session: the session that all of these share."""
    if not an_id.text:
        return SessionName(user_id)
    return SessionName(user_id, kept_id(an_id), own_of(store, "session", an_id.text))


def kept_id(an_id: Cleaned) -> str:
    """The id as it is, or "" where the protocol does not allow it, or where it would tell of an
    owner that it has not."""
    text = an_id.text
    if an_id.found or not 0 < len(text) <= ID_MAX_CHARACTERS or _UNFIT.search(text):
        return ""
    return "" if owner_in(text) else text
