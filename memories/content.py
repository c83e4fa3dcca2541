"""What a memory's content, or other JSON of a client, may be: an object that comes back equal.
Called by handlers, admin and importers before anything is stored."""

import re
from dataclasses import dataclass
from typing import Any

import msgspec

from memories.errors import ValidationFailed

MAX_DEPTH = 64
# A number with an exponent is kept written out, 1e300 as 301 digits: so many in all.
MAX_EXPONENT_DIGITS = 50_000

_EXPONENT = re.compile(rb"[0-9][eE][+-]?[0-9]")  # in texts as well: a sign to look closer
_decode = msgspec.json.Decoder(float_hook=msgspec.Raw).decode


@dataclass(frozen=True, slots=True)
class Content:
    """`json`: the text of the object, every digit as it came."""

    json: bytes
    source_agent: str


def read_content(raw: bytes, field: str = "payload.content") -> Content:
    """Check JSON text and take a plain string as `{"text": string}`. Raises ValidationFailed."""
    if raw[:1] == b'"':
        return Content(b'{"text":' + raw + b"}", "")
    value = read_object(raw, field)
    if not value:
        raise ValidationFailed(field, "The content must be text or an object that is not empty.")
    agent = value.get("source_agent")
    return Content(raw, agent if isinstance(agent, str) and len(agent) <= 64 else "")


def read_object(raw: bytes, field: str) -> dict[str, Any]:
    """Decode JSON text that must be an object which can be kept. Raises ValidationFailed."""
    try:
        value = _decode(raw)
    except (ValueError, RecursionError) as error:
        raise ValidationFailed(field, f"The value of {field} cannot be kept: {error}.") from None
    if not isinstance(value, dict):
        raise ValidationFailed(field, f"{field} must be an object.")
    if raw.count(b"{") + raw.count(b"[") > MAX_DEPTH and _depth(value) > MAX_DEPTH:
        raise ValidationFailed(field, f"{field} is nested deeper than {MAX_DEPTH} levels.")
    if _EXPONENT.search(raw) and _exponent_digits(raw) > MAX_EXPONENT_DIGITS:
        raise ValidationFailed(field, f"{field} has numbers too large or small to be kept.")
    return value


def _exponent_digits(raw: bytes) -> int:
    """The digits that numbers with an exponent have, all together, once they are written out."""
    digits = 0

    def note(number: str) -> None:
        nonlocal digits
        _, mark, exponent = number.lower().partition("e")
        if mark:
            digits += int(exponent.lstrip("+-0")[:9] or 0)

    msgspec.json.Decoder(float_hook=note).decode(raw)
    return digits


def _depth(value: Any) -> int:
    """Levels of nesting, counted without recursion."""
    depth, level = 0, [value]
    while level := [child for parent in level for child in _containers(parent)]:
        depth += 1
    return depth + 1


def _containers(parent: Any) -> list[Any]:
    children = parent.values() if isinstance(parent, dict) else parent
    return [child for child in children if isinstance(child, dict | list)]
