"""What a memory's content, or other JSON of a client, may be: an object that comes back equal.
Called by handlers, admin and importers before anything is stored."""

import re
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec

from memories.errors import ValidationFailed
from memories.ids import ID_MAX_CHARACTERS

MAX_DEPTH = 64
# A number is kept written out, 1e300 as 301 digits, and has to be read again: Python's json and
# msgspec read so many digits of a whole number,
MAX_WHOLE_DIGITS = 4300
# so many before the point of a number with a fraction, which is a float to them,
MAX_FLOAT_DIGITS = 308
# and PostgreSQL keeps so many behind it.
MAX_FRACTION_DIGITS = 16_383
# All numbers with an exponent together: a short text must not become a page of megabytes.
MAX_EXPONENT_DIGITS = 50_000

# In texts as well: signs to look closer.
_EXPONENT = re.compile(rb"[0-9][eE][+-]?[0-9]")
_LONG = re.compile(rb"(?<![0-9])[0-9]{%d}" % (MAX_FLOAT_DIGITS + 1))
_EXPONENT_MAX_DIGITS = 9
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
    return Content(raw, agent if isinstance(agent, str) and len(agent) <= ID_MAX_CHARACTERS else "")


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
    if may_hold_bad_numbers(raw) and not _are_kept(raw):
        raise ValidationFailed(field, f"{field} has numbers too large or small to be kept.")
    return value


def may_hold_bad_numbers(raw: bytes) -> bool:
    """Quick, and right where it says no."""
    return bool(_EXPONENT.search(raw) or (len(raw) > MAX_FLOAT_DIGITS and _LONG.search(raw)))


class _Digits(NamedTuple):
    """How many a number has before the point and behind it, once it is written out."""

    whole: int
    fraction: int

    def are_kept(self) -> bool:
        most = MAX_FLOAT_DIGITS if self.fraction else MAX_WHOLE_DIGITS
        return self.whole <= most and self.fraction <= MAX_FRACTION_DIGITS


def _are_kept(raw: bytes) -> bool:
    """Whole numbers without an exponent are not looked at: the decoder has refused long ones."""
    exponent_digits = 0
    are_kept = True

    def note(number: str) -> None:
        nonlocal exponent_digits, are_kept
        digits = _digits_of(number)
        are_kept = are_kept and digits is not None and digits.are_kept()
        if "e" in number.lower():
            exponent_digits += sum(digits or ())

    msgspec.json.Decoder(float_hook=note).decode(raw)
    return are_kept and exponent_digits <= MAX_EXPONENT_DIGITS


def _digits_of(number: str) -> _Digits | None:
    """None where the exponent alone has more digits than PostgreSQL reads."""
    mantissa, _, exponent = number.lower().partition("e")
    if len(exponent.lstrip("+-0")) > _EXPONENT_MAX_DIGITS:
        return None
    whole, _, fraction = mantissa.lstrip("-").partition(".")
    shift = int(exponent.lstrip("0") or 0)
    significant = len((whole + fraction).lstrip("0"))
    return _Digits(
        max(1, significant - len(fraction) + shift) if significant else 1,
        max(0, len(fraction) - shift),
    )


def _depth(value: Any) -> int:
    """Levels of nesting, counted without recursion."""
    depth, level = 0, [value]
    while level := [child for parent in level for child in _containers(parent)]:
        depth += 1
    return depth + 1


def _containers(parent: Any) -> list[Any]:
    children = parent.values() if isinstance(parent, dict) else parent
    return [child for child in children if isinstance(child, dict | list)]
