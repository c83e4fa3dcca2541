"""Fields of our own."""

import json
from typing import TYPE_CHECKING, Any

from django.db import models

from memories.ids import ID_MAX_CHARACTERS

if TYPE_CHECKING:
    _Text = models.CharField[str, str]
else:
    _Text = models.CharField


class IdField(_Text):
    """An id made in the application. Compared byte by byte, whatever the database's language."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"max_length": ID_MAX_CHARACTERS} | kwargs)

    def db_type(self, connection: Any) -> str:
        # By the name `varchar` Django would add a second index for LIKE to every unique column.
        return f'character varying({self.max_length}) COLLATE "C"'

    def rel_db_type(self, connection: Any) -> str:
        return self.db_type(connection)


def read_json(text: str) -> Any:
    """As `json.loads`, and a number with more digits than Python reads as its text: earlier
    versions kept such numbers, and what holds one must still be seen, exported and deleted."""
    return json.loads(text, parse_int=_whole_number)


def _whole_number(digits: str) -> int | str:
    try:
        return int(digits)
    except ValueError:
        return digits


class _Decoder(json.JSONDecoder):
    def __init__(self) -> None:
        super().__init__(parse_int=_whole_number)


class JSONField(models.JSONField):
    """Reads whatever is stored, as `read_json` does."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs | {"decoder": _Decoder})

    def deconstruct(self) -> Any:
        """As Django's own: the tables are the same."""
        name, _, args, kwargs = super().deconstruct()
        kwargs.pop("decoder")
        return name, "django.db.models.JSONField", args, kwargs
