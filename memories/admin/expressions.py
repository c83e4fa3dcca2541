"""Parts of large values, cut off in SQL, so that no page reads a whole one. For every screen."""

from django.db.models import Func, TextField
from django.db.models.functions import Cast, Left

from memories.admin.rendering import EXCERPT_CHARACTERS

# Beyond it a form would not fit into DATA_UPLOAD_MAX_MEMORY_SIZE: a character takes up to 12 bytes.
PAGE_CHARACTERS = 200_000


def beginning(field: str) -> Left:
    """What a list shows of a text or of JSON."""
    return Left(Cast(field, TextField()), EXCERPT_CHARACTERS + 1)


def pretty(field: str) -> Left:
    """JSON as a page shows it, every digit kept; PAGE_CHARACTERS + 1 where that is too long."""
    indented = Func(field, function="jsonb_pretty", output_field=TextField())
    return Left(indented, PAGE_CHARACTERS + 1)


def is_cut(shown: str) -> bool:
    return len(shown) > PAGE_CHARACTERS
