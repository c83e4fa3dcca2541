"""The errors of the core: one tree, each class with its wire code.

The docstring of a class is its default message. Services return or raise them; the bridge turns
them into wire errors in one place.
"""

from typing import Any, ClassVar


class MemoriesError(Exception):
    """Something went wrong."""

    code: ClassVar[str] = "internal_error"

    def __init__(self, message: str = "", **details: Any) -> None:
        self.message = message or " ".join((type(self).__doc__ or "").split())
        self.details = details
        super().__init__(self.message)


class ValidationFailed(MemoriesError):
    """A field of the payload is missing, of the wrong type or out of range."""

    code = "validation_error"

    def __init__(self, field: str, message: str, **details: Any) -> None:
        super().__init__(message, field=field, **details)


class MemoryNotFound(MemoriesError):
    """No live memory has this id."""

    code = "memory_not_found"


class SessionNotFound(MemoriesError):
    """No session has this id."""

    code = "session_not_found"


class PermissionDenied(MemoriesError):
    """The caller may not do that."""

    code = "permission_denied"


class StorageFailed(MemoriesError):
    """The database refused or cannot be reached; nothing of the request was stored."""

    code = "storage_error"


class SearchFailed(MemoriesError):
    """The search could not run."""

    code = "search_error"
