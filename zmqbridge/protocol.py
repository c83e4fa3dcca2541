"""The wire: envelope, replies, error codes; decode and encode. docs/protocol.md is its prose.

Imports no Django and owns no socket. The server reads envelopes with it, `answer` replies.
"""

import re
from datetime import UTC, datetime
from enum import StrEnum
from hashlib import blake2b
from typing import Any

import msgspec

from zmqbridge.nul import path_of_nul
from zmqbridge.readable import is_object, readable

VERSION = "1.1"
REQUEST_ID_MAX_CHARACTERS = 255
ID_MAX_CHARACTERS = 64
MAX_REPLY_BYTES = 16 << 20
PINGS = frozenset({"ping", "health", "health_check"})


class Code(StrEnum):
    INVALID_REQUEST = "invalid_request"
    VALIDATION_ERROR = "validation_error"
    MEMORY_NOT_FOUND = "memory_not_found"
    SESSION_NOT_FOUND = "session_not_found"
    PERMISSION_DENIED = "permission_denied"
    RATE_LIMIT_EXCEEDED = "rate_limit_exceeded"
    STORAGE_ERROR = "storage_error"
    SEARCH_ERROR = "search_error"
    INTERNAL_ERROR = "internal_error"


class WireError(Exception):
    """A request that cannot be served as it was sent."""

    def __init__(self, code: Code, message: str, **details: Any) -> None:
        self.code = code
        self.message = message
        self.details = details
        super().__init__(message)


class Request(msgspec.Struct, frozen=True):
    """One request as it came. `payload` is its JSON text; `received_at` the server's time of it."""

    action: str
    request_id: str
    session_id: str
    payload: bytes
    timestamp: str
    received_at: datetime
    traceparent: str = ""


class _Failure(msgspec.Struct):
    code: str


class _FailedReply(msgspec.Struct):
    error: _Failure


class _Envelope(msgspec.Struct):
    action: str
    request_id: str
    session_id: str | None = None
    payload: msgspec.Raw = msgspec.Raw()
    timestamp: str | None = None
    traceparent: msgspec.Raw = msgspec.Raw()


_decode_envelope = msgspec.json.Decoder(_Envelope).decode
_decode_failed = msgspec.json.Decoder(_FailedReply).decode
_FAILED = b'{"status":"error"'
_keep_digits = msgspec.json.Decoder(float_hook=msgspec.Raw).decode
_encode = msgspec.json.Encoder().encode
_encode_sorted = msgspec.json.Encoder(order="sorted").encode

_WHITE_SPACE = b" \t\r\n"
_TRACEPARENT_BYTES = 57  # with the quotes
_NULLS = (b"", b"null")
_PATH = re.compile(r" - at `\$\.?(?P<path>.*)`$")
_LACKING = re.compile(r"Object (?:missing required|contains unknown) field `(?P<field>.*?)`")


def read_envelope(body: bytes, received_at: datetime, max_body_bytes: int) -> Request:
    """Check all of a body but what its payload holds. Raises WireError."""
    if len(body) > max_body_bytes:
        raise WireError(
            Code.VALIDATION_ERROR,
            f"The body has {len(body)} bytes; at most {max_body_bytes} are allowed.",
            field="body",
            max_body_bytes=max_body_bytes,
        )
    envelope = _decoded(body)
    if envelope.action in PINGS:
        return Request(envelope.action, envelope.request_id, "", b"{}", "", received_at)
    _check_envelope(envelope)
    return Request(
        envelope.action,
        envelope.request_id,
        envelope.session_id or "",
        bytes(envelope.payload) or b"{}",
        envelope.timestamp or "",
        received_at,
        _read_traceparent(bytes(envelope.traceparent)),
    )


def _read_traceparent(raw: bytes) -> str:
    """What is none by its length (in quotes) counts as absent: no request fails over it."""
    return raw[1:-1].decode() if len(raw) == _TRACEPARENT_BYTES else ""


def read_payload(request: Request, decoder: msgspec.json.Decoder[Any]) -> Any:
    """The payload as the decoder's type. Raises WireError that names the field by its path."""
    try:
        refuse_nul(request.payload, "payload")
        return decoder.decode(request.payload)
    except msgspec.ValidationError as error:
        message, field = explain(error, "payload")
        raise WireError(Code.VALIDATION_ERROR, message, field=field) from None
    except RecursionError:
        raise WireError(
            Code.VALIDATION_ERROR, "The payload is nested too deeply.", field="payload"
        ) from None


def explain(error: msgspec.ValidationError, root: str) -> tuple[str, str]:
    """The message and the path of the field of a validation error below `root`."""
    text = str(error)
    path = _PATH.search(text)
    parts = [root, path["path"] if path else ""]
    if lacking := _LACKING.search(text):
        parts.append(lacking["field"])
    field = ".".join(part for part in parts if part).replace(".[", "[")
    return f"{_PATH.sub('', text)}: {field}", field


def refuse_nul(raw: bytes, root: str) -> None:
    """PostgreSQL keeps no U+0000."""
    if path := path_of_nul(raw, root):
        raise WireError(Code.VALIDATION_ERROR, f"U+0000 cannot be stored: {path}", field=path)


def request_key(request: Request) -> bytes:
    """16 bytes that are the same for a request that is sent again unchanged, and only then.

    The payload counts by its meaning: key order and white space do not, every digit does.
    """
    parts = (request.action, request.session_id, request.request_id, request.timestamp)
    envelope = "".join([f"{len(part)}:{part}" for part in parts]).encode()
    try:
        payload = _encode_sorted(_keep_digits(request.payload))
    except (ValueError, RecursionError):  # what cannot be put in order counts by its text
        payload = request.payload
    return blake2b(envelope + payload, digest_size=16).digest()


def encode_success(action: str, request_id: str, data: Any) -> bytes:
    """`data`: a struct, or anything else that msgspec encodes, msgspec.Raw included."""
    return _encode(
        {
            "status": "success",
            "action": action,
            "request_id": request_id,
            "data": data,
            "timestamp": datetime.now(UTC),
        }
    )


def encode_error(action: str | None, request_id: str, error: WireError) -> bytes:
    reply: dict[str, Any] = {"status": "error"}
    if action is not None:
        reply["action"] = action
    reply["request_id"] = request_id
    reply["error"] = {"code": error.code, "message": error.message}
    if error.details:
        reply["error"]["details"] = error.details
    reply["timestamp"] = datetime.now(UTC)
    return _encode(reply)


def error_code(reply: bytes) -> str:
    """The code in a reply that was encoded here, "" where it is no error."""
    return _decode_failed(reply).error.code if reply.startswith(_FAILED) else ""


def encode_ping(request: Request, problems: dict[str, str]) -> bytes:
    """The answer to `ping`: its status stands at the top level, with what is wrong beside it."""
    return _encode(
        {
            "status": "degraded" if problems else "ok",
            "action": request.action,
            "request_id": request.request_id,
            "protocol": VERSION,
            "problems": problems,
            "timestamp": datetime.now(UTC),
        }
    )


def parse_time(text: str, field: str) -> datetime:
    """ISO 8601; an offset is honoured, and a time without one is taken as UTC."""
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            return moment.replace(tzinfo=UTC)
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise WireError(
            Code.VALIDATION_ERROR,
            f"{field} is no time in ISO 8601, such as 2026-01-31T08:30:45Z.",
            field=field,
        ) from None


def _decoded(body: bytes) -> _Envelope:
    try:
        body.decode()  # skipped parts are not checked for UTF-8 by the decoder
        envelope = _decode_envelope(body)
    except UnicodeDecodeError:
        raise WireError(Code.INVALID_REQUEST, "The body is not UTF-8.") from None
    except RecursionError:
        raise WireError(Code.INVALID_REQUEST, "The body is nested too deeply.") from None
    except msgspec.ValidationError as error:
        return _lenient_ping(body, error)
    except msgspec.DecodeError:
        raise WireError(Code.INVALID_REQUEST, "The body is not valid JSON.") from None
    if "\x00" in envelope.request_id + (envelope.session_id or ""):
        return _refuse_nul_in(envelope)
    return envelope


def _refuse_nul_in(envelope: _Envelope) -> _Envelope:
    if envelope.action in PINGS:
        return _Envelope(envelope.action, envelope.request_id)
    field = "request_id" if "\x00" in envelope.request_id else "session_id"
    raise WireError(Code.VALIDATION_ERROR, f"U+0000 cannot be stored: {field}", field=field)


def _lenient_ping(body: bytes, error: msgspec.ValidationError) -> _Envelope:
    """A ping needs no other field than its action, nor that the others are right."""
    action, request_id = readable(body)
    if action in PINGS and is_object(body):
        return _Envelope(action, request_id)
    message, field = explain(error, "")
    raise WireError(Code.INVALID_REQUEST, message.removesuffix(": "), field=field) from None


def _check_envelope(envelope: _Envelope) -> None:
    if not 1 <= len(envelope.request_id) <= REQUEST_ID_MAX_CHARACTERS:
        _refuse("request_id", f"has 1 to {REQUEST_ID_MAX_CHARACTERS} characters")
    try:
        parse_time(envelope.timestamp or "", "timestamp")
    except WireError as error:
        raise WireError(Code.INVALID_REQUEST, error.message, field="timestamp") from None
    if not envelope.session_id and envelope.action != "create_session":
        _refuse("session_id", "is text that names the session")
    if len(envelope.session_id or "") > ID_MAX_CHARACTERS:
        raise WireError(
            Code.VALIDATION_ERROR,
            f"session_id has at most {ID_MAX_CHARACTERS} characters.",
            field="session_id",
        )
    payload = bytes(envelope.payload).strip(_WHITE_SPACE)
    if payload in _NULLS and envelope.action == "end_session":
        envelope.payload = msgspec.Raw()
    elif not payload.startswith(b"{"):
        _refuse("payload", "is an object")


def _refuse(field: str, rule: str) -> Any:
    raise WireError(Code.INVALID_REQUEST, f"{field} is missing or wrong: it {rule}.", field=field)
