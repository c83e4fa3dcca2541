"""Fields of our own."""

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
