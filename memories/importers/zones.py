"""The time zone of times that name none."""

from datetime import tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_LOCAL_TIME = Path("/etc/localtime")
_FOLDER = "zoneinfo/"


def read_zone(name: str) -> tzinfo:
    """Raises ValueError, with one sentence, for a name that is none."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(
            f"{name!r} is no time zone: give a name such as Europe/Berlin or UTC."
        ) from None


def machine_zone(tz: str) -> tzinfo:
    """`tz`: the machine's variable TZ, or "". It counts before /etc/localtime."""
    name = tz.removeprefix(":")
    if name and not name.startswith("/"):
        return read_zone(name)
    path = Path(name) if name else _LOCAL_TIME
    try:
        # Read by its name where it leads to one, so that it can be told to a person.
        target = str(path.resolve(strict=True))
        if _FOLDER in target:
            return ZoneInfo(target.rpartition(_FOLDER)[2])
        with path.open("rb") as file:
            return ZoneInfo.from_file(file, key="local time")
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo("UTC")
