"""Where U+0000 stands in a JSON text. `protocol` asks; imports no Django."""

from typing import Any

import msgspec

_Place = tuple["_Place | None", str]  # a step in a value, after the steps that lead there
# Numbers stay text: one beyond the range of a float is nothing to refuse here.
_decode = msgspec.json.Decoder(float_hook=msgspec.Raw).decode


def path_of_nul(raw: bytes, root: str) -> str:
    """The path below `root` of a text with U+0000, or "" where there is none. Raises what decoding
    raises, and only where there may be one: in valid JSON it can only stand as an escape."""
    return _find(_decode(raw), root) if b"\\u0000" in raw else ""


def _find(value: Any, root: str) -> str:
    """The client chooses how deep and wide the value is: no recursion, and no path but the one
    asked."""
    waiting: list[tuple[_Place, Any]] = [((None, root), value)]
    while waiting:
        place, value = waiting.pop()
        if isinstance(value, str) and "\x00" in value:
            return _path(place)
        if isinstance(value, dict):
            if any("\x00" in key for key in value):
                return _path(place)
            waiting += [((place, f".{key}"), member) for key, member in value.items()]
        elif isinstance(value, list):
            waiting += [((place, f"[{index}]"), member) for index, member in enumerate(value)]
    return ""


def _path(place: "_Place | None") -> str:
    steps = []
    while place:
        place, step = place
        steps.append(step)
    return "".join(reversed(steps))
