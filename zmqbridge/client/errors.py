"""What a call of the client can raise: one tree, with a class for each wire code."""

from typing import Any

from zmqbridge.protocol import Code


class ClientError(Exception):
    """Whatever a call of the client raises."""


class UnusableArgument(ClientError):
    """An argument that cannot be sent. Nothing was sent."""


class ClientClosed(ClientError):
    """The client is closed. Of a call that was waiting it is unknown whether it was carried out."""


class ClientForked(ClientError):
    """The client was made in another process: each process makes its own."""


class ClientBusy(ClientError):
    """As many requests as `max_in_flight` are unanswered. Nothing was sent."""


class BadReply(ClientError):
    """The reply is none of this protocol: what answers there is no orchestrator, or another one."""


class TimedOut(ClientError):
    """No answer within the deadline. Whether the request was carried out is unknown.

    A call that is repeated with the same arguments, `request_id` and `timestamp` is safe.
    """


class Unreachable(TimedOut):
    """There was no connection within the deadline. Nothing was sent."""


class RequestFailed(ClientError):
    """The orchestrator refused the request. `code`, `message` and `details` are those of the wire.

    A code that is unknown here raises this class itself.
    """

    def __init__(self, code: str, message: str, details: dict[str, Any]) -> None:
        super().__init__(code, message, details)
        self.code = code
        self.message = message
        self.details = details

    def __str__(self) -> str:
        return f"{self.message} ({self.code})"


class InvalidRequest(RequestFailed):
    """The envelope is wrong, or the action is unknown to this orchestrator."""


class ValidationFailed(RequestFailed):
    """A field is missing, of the wrong type or out of range."""

    @property
    def field(self) -> str:
        """The path of the field, as in `payload.priority`; "" where the reply names none."""
        return str(self.details.get("field", ""))


class MemoryNotFound(RequestFailed):
    """No live memory has that id."""


class SessionNotFound(RequestFailed):
    """No session has that id."""


class PermissionDenied(RequestFailed):
    """The caller may not do that."""


class RateLimited(RequestFailed):
    """Too many requests, and no time left within the deadline to try again."""

    @property
    def retry_after_seconds(self) -> float | None:
        """When to try again, from now; None where the reply does not say."""
        seconds = self.details.get("retry_after")
        return float(seconds) if isinstance(seconds, int | float) and seconds >= 0 else None


class StorageFailed(RequestFailed):
    """The database refused or cannot be reached, for as long as the deadline let the client try."""

    @property
    def outcome(self) -> str | None:
        """ "unknown" where the request may have been stored; None: nothing of it was."""
        outcome = self.details.get("outcome")
        return None if outcome is None else str(outcome)


class SearchFailed(RequestFailed):
    """The search could not run."""


class InternalFailed(RequestFailed):
    """The orchestrator failed in a way that it does not explain."""


_BY_CODE: dict[str, type[RequestFailed]] = {
    Code.INVALID_REQUEST: InvalidRequest,
    Code.VALIDATION_ERROR: ValidationFailed,
    Code.MEMORY_NOT_FOUND: MemoryNotFound,
    Code.SESSION_NOT_FOUND: SessionNotFound,
    Code.PERMISSION_DENIED: PermissionDenied,
    Code.RATE_LIMIT_EXCEEDED: RateLimited,
    Code.STORAGE_ERROR: StorageFailed,
    Code.SEARCH_ERROR: SearchFailed,
    Code.INTERNAL_ERROR: InternalFailed,
}


def failure(code: str, message: str, details: dict[str, Any]) -> RequestFailed:
    """The error for what stands under `error` in a reply."""
    return _BY_CODE.get(code, RequestFailed)(code, message, details)
