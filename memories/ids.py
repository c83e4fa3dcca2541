"""Ids of owners, sessions and memories. They are made here, in the application, so that a
repeated request can be recognised by the id that it would make, and so that an id carries its
owner: `mem-`, `session-` or `op-`, then 22 characters of owner and 22 of its own, base64url.
"""

import base64
import binascii
import re
import secrets
import uuid

ID_MAX_CHARACTERS = 64

_OWNERS = uuid.UUID("6f1c8a52-5f43-5d0e-9a1b-3c1f0f6f2a77")
_URL_SAFE = bytes.maketrans(b"+/", b"-_")
_MADE_HERE = re.compile(r"(?:mem|session|op)-([A-Za-z0-9_-]{22})[A-Za-z0-9_-]{22}")


def owner_of_user(user_id: str) -> uuid.UUID:
    return uuid.uuid5(_OWNERS, f"user:{user_id}")


def owner_of_session(session_id: str) -> uuid.UUID:
    """The owner of a session that names no user."""
    return uuid.uuid5(_OWNERS, f"session:{session_id}")


def memory_id(owner_id: uuid.UUID, own: bytes) -> str:
    """`own`: 16 bytes, a digest of what asked for the memory."""
    return f"mem-{_text(owner_id.bytes)}{_text(own)}"


def session_id(owner_id: uuid.UUID, own: bytes) -> str:
    """`own`: 16 bytes, a digest of what asked for the session."""
    return f"session-{_text(owner_id.bytes)}{_text(own)}"


def new_operation_id(owner_id: uuid.UUID | None) -> str:
    """What ties the changes of one request; without an owner where they reach across owners."""
    return f"op-{_text(owner_id.bytes) if owner_id else ''}{_text(secrets.token_bytes(16))}"


def owner_in(an_id: str) -> uuid.UUID | None:
    """The owner that an id carries, or None for an id that was made elsewhere."""
    match = _MADE_HERE.fullmatch(an_id)
    if match is None:
        return None
    try:
        return uuid.UUID(bytes=base64.urlsafe_b64decode(match[1] + "=="))
    except (binascii.Error, ValueError):
        return None


def owner_text(owner_id: uuid.UUID) -> str:
    """The 22 characters by which the ids that are made here carry their owner."""
    return _text(owner_id.bytes)


def key_text(digest: bytes) -> str:
    """16 bytes of digest as the 22 characters that the tables keep."""
    return _text(digest)


def _text(sixteen_bytes: bytes) -> str:
    text = binascii.b2a_base64(sixteen_bytes, newline=False)
    return text.translate(_URL_SAFE)[:22].decode()
