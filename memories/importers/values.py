"""Values of old rows, however dirty, as what can be stored. Each says what it had to change."""

import math
import re
from datetime import UTC, datetime, tzinfo
from typing import Any, NamedTuple

import msgspec

from memories.content import MAX_DEPTH, may_hold_bad_numbers, read_object
from memories.errors import ValidationFailed

_EPOCH_TEXT = re.compile(r"\s*\d{9,}(?:\.\d*)?\s*$")
# Taken whole, so that an escaped backslash is never read as the begin of the next escape.
_ESCAPES = re.compile(
    rb"\\(?:u0000|u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    rb"|u[dD][89a-fA-F][0-9a-fA-F]{2}|.)",
    re.DOTALL,
)
_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_PAIR_BYTES = len(rb"\ud83d\ude00")
_REPLACEMENT = rb"\ufffd"


class Cleaned(NamedTuple):
    """`found`: what was replaced, or ""."""

    text: str
    found: str = ""


def clean_text(value: object) -> Cleaned:
    """Any value of SQLite as text that PostgreSQL can keep."""
    if value is None:
        return Cleaned("")
    if type(value) is str and value.isascii() and "\0" not in value:
        return Cleaned(value)
    text = value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else str(value)
    found = ""
    if "\0" in text:
        text, found = text.replace("\0", "\ufffd"), "U+0000"
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raw = text.encode("utf-8", "surrogateescape")
            text, found = raw.decode("utf-8", "replace"), "invalid UTF-8"
    return Cleaned(text, found)


def clean_json(raw: bytes) -> tuple[bytes, str]:
    """JSON text whose strings PostgreSQL can keep; every digit stays. `raw` is UTF-8."""
    if b"\\u" not in raw:
        return raw, ""
    found: list[str] = []

    def replace(match: re.Match[bytes]) -> bytes:
        escape = match[0]
        if escape == rb"\u0000":
            found.append("U+0000")
            return _REPLACEMENT
        if escape[:3].lower() == rb"\ud" and escape[3:4] in b"89abcdefABCDEF":
            if len(escape) == _PAIR_BYTES:
                return escape
            found.append("half a surrogate pair")
            return _REPLACEMENT
        return escape

    cleaned = _ESCAPES.sub(replace, raw)
    return cleaned, found[0] if found else ""


def fields_of(raw: bytes) -> dict[str, msgspec.Raw] | None:
    """The fields of a JSON object as their own texts, or None where it is none that can be kept."""
    try:
        # What only a whole reading checks. Else the quicker one, which skips values, is as strict.
        is_deep = raw.count(b"{") + raw.count(b"[") > MAX_DEPTH
        if b"\\" in raw or is_deep or may_hold_bad_numbers(raw):
            read_object(raw, "metadata")
        return _FIELDS.decode(raw)
    except (ValidationFailed, ValueError, RecursionError):
        return None


def read_time(value: object, zone: tzinfo) -> datetime | None:
    """Seconds since the epoch, or ISO 8601, which is in `zone` where it has no offset."""
    try:
        if isinstance(value, bytes):
            value = value.decode()
        if isinstance(value, str):
            if _EPOCH_TEXT.match(value):
                value = float(value)
            else:
                moment = datetime.fromisoformat(value.strip())
                return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)
        if isinstance(value, int | float) and math.isfinite(value):
            return datetime.fromtimestamp(value, UTC)
    except (ValueError, OverflowError, OSError):
        pass
    return None


def number_between(value: object, low: float, high: float) -> tuple[float | None, bool]:
    """The number, drawn into its bounds, and whether it was as it should be; None: it is none."""
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return None, value is None
    if math.isnan(number):
        return None, False
    return min(max(number, low), high), low <= number <= high


def encode(value: Any) -> bytes:
    return msgspec.json.encode(value)
