"""Values as HTML that is safe whatever they hold. Called by every screen of the admin."""

import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib.admin.utils import quote
from django.db.models import Model
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.http import urlencode
from django.utils.safestring import SafeString
from django.utils.timezone import localtime

from memories.services.search.explain import Passage

EMPTY = "-"
EXCERPT_CHARACTERS = 120


def isolated(text: str) -> SafeString:
    """Text that cannot turn the direction of what stands beside it."""
    return format_html("<bdi>{}</bdi>", text)


def excerpt(text: str) -> SafeString:
    """The beginning of a text, on one line. `text` may be cut off already."""
    line = " ".join(text[:EXCERPT_CHARACTERS].split())
    return isolated(f"{line} …" if len(text) > EXCERPT_CHARACTERS else line or EMPTY)


def passage(found: Passage) -> SafeString:
    """A piece of a text on one line, with the words marked that a search found."""
    marked = format_html_join(
        "",
        "{}",
        ((format_html("<mark>{}</mark>", part) if hit else part,) for part, hit in found.parts),
    )
    return format_html("<bdi>{}</bdi>", marked or EMPTY)


def link(model: type[Model], primary_key: int | str, text: str = "") -> SafeString:
    """A link to the page of a row, which need not exist."""
    opts = model._meta
    url = reverse(f"admin:{opts.app_label}_{opts.model_name}_change", args=[quote(primary_key)])
    return _anchor(url, text or str(primary_key))


def list_link(model: type[Model], text: str, **parameters: str) -> SafeString:
    """A link to the list of a model, filtered or searched."""
    opts = model._meta
    url = reverse(f"admin:{opts.app_label}_{opts.model_name}_changelist")
    return _anchor(f"{url}?{urlencode(parameters)}", text)


def user_link(owner_id: UUID, text: str) -> SafeString:
    """A link to the page of a user, or of an owner without one."""
    return _anchor(reverse("memories:user", args=[owner_id]), text)


def _anchor(url: str, text: str) -> SafeString:
    return format_html('<a class="memories-link" href="{}">{}</a>', url, isolated(text))


def preformatted(text: str) -> SafeString:
    return format_html('<pre class="memories-text">{}</pre>', text)


def moment(at: datetime | None) -> str:
    return f"{localtime(at):%Y-%m-%d %H:%M:%S %Z}" if at else EMPTY


def table(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> SafeString:
    """A table of cells, each escaped unless it is safe; "-" where there are no rows."""
    body = format_html_join(
        "",
        "<tr>{}</tr>",
        ((format_html_join("", "<td>{}</td>", ((cell,) for cell in row)),) for row in rows),
    )
    if not body:
        return SafeString(EMPTY)
    head = format_html_join("", "<th>{}</th>", ((heading,) for heading in headings))
    return format_html(
        '<table class="memories-table"><thead><tr>{}</tr></thead><tbody>{}</tbody></table>',
        head,
        body,
    )


def flattened(value: Any, path: str = "") -> Iterator[tuple[str, object]]:
    """The leaves of nested objects, each with its path: `lanes.writes.depth`."""
    if isinstance(value, dict) and value:
        for key in sorted(value):
            yield from flattened(value[key], f"{path}.{key}" if path else str(key))
    else:
        yield path, json.dumps(value) if isinstance(value, dict | list) else value
