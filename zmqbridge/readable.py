"""What can be read of a body that is refused, so that its reply can be tied to it. The server and
`protocol` ask; imports no Django."""

import re
from collections.abc import Mapping
from itertools import islice

import msgspec

UNKNOWN = "unknown"

_decode_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_decode_text = msgspec.json.Decoder(str).decode

# A text, ended or not, or what stands between values. No way back: time grows as the body does.
_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|[{}\[\]:,]', re.DOTALL)
_DEEPER = {b"{": 1, b"[": 1, b"}": -1, b"]": -1}
_SCANNED_TOKENS = 1 << 15
_SCANNED_BYTES = 1 << 20


def readable(body: bytes) -> tuple[str | None, str]:
    """The action, if it is text, and the request id or "unknown", of a body that was refused."""
    try:
        found: Mapping[str, bytes | msgspec.Raw] = _decode_members(body)
    except (ValueError, RecursionError):
        found = _scan_members(body)
    action, request_id = (_text_in(found.get(name, b"")) for name in ("action", "request_id"))
    return action, request_id or UNKNOWN


def is_object(body: bytes) -> bool:
    """Whether all of it is one JSON object."""
    try:
        _decode_members(body)
    except (ValueError, RecursionError):
        return False
    return True


def _text_in(raw: bytes | msgspec.Raw) -> str | None:
    try:
        return _decode_text(raw)
    except (ValueError, RecursionError):
        return None


def _scan_members(body: bytes) -> dict[str, bytes]:
    """The members of the outermost object that are text, where the whole cannot be decoded: it is
    nested too deeply, say, or holds half a surrogate pair."""
    found: dict[str, bytes] = {}
    depth, name, last = 0, b"", b""
    for match in islice(_TOKEN.finditer(body, 0, _SCANNED_BYTES), _SCANNED_TOKENS):
        token = match[0]
        depth += _DEEPER.get(token, 0)
        if depth == 0:
            break
        if depth > 1:
            continue
        if token == b":":
            name = last[1:-1]
        elif token == b",":
            name = b""
        elif token[:1] == b'"' and name:
            found[name.decode("utf-8", "replace")] = token
        last = token
    return found
