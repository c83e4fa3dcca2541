"""The form by which a person corrects a memory. It goes through the service, so that history and
caches stay right, and two people do not overwrite each other."""

import json
import re
from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from memories.admin.expressions import is_cut
from memories.admin.rendering import moment
from memories.content import Content, read_content
from memories.errors import MemoriesError, ValidationFailed
from memories.limits import (
    HIGHEST_PRIORITY,
    LOWEST_PRIORITY,
    TAG_MAX_CHARACTERS,
    TAGS_MAX_COUNT,
    TYPE_MAX_CHARACTERS,
)
from memories.models import MemoryEntry
from memories.services.revise import Revision, revise_memories

_Tag = Annotated[str, msgspec.Meta(min_length=1, max_length=TAG_MAX_CHARACTERS)]
_Tags = Annotated[list[_Tag], msgspec.Meta(max_length=TAGS_MAX_COUNT)]

# An escape of U+0000: its backslash is not itself escaped by one before it.
_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")


class JsonTextField(forms.CharField):
    """JSON text, as it is: what is not touched is not changed, to the last digit."""

    def __init__(self, rows: int, **kwargs: Any) -> None:
        widget = UnfoldAdminTextareaWidget({"rows": rows, "spellcheck": "false"})
        widget.attrs["class"] += " memories-json"
        super().__init__(widget=widget, **kwargs)

    def to_python(self, value: Any) -> str:
        """Browsers send line ends as CR LF; JSON has them between its tokens alone."""
        return str(super().to_python(value) or "").replace("\r\n", "\n")

    def validate(self, value: str) -> None:
        super().validate(value)
        if _NUL.search(value):
            raise ValidationError(_("U+0000 cannot be stored: take \\u0000 out."))


class MemoryForm(forms.ModelForm):  # type: ignore[type-arg]
    memory_type = forms.CharField(
        max_length=TYPE_MAX_CHARACTERS, strip=False, widget=UnfoldAdminTextInputWidget
    )
    content_json = JsonTextField(
        20,
        label=gettext_lazy("Content"),
        help_text=gettext_lazy("A JSON object; search reads its <code>text</code>."),
    )
    tags_json = JsonTextField(
        2,
        label=gettext_lazy("Tags"),
        help_text=gettext_lazy('A JSON list of up to 64 texts: ["kitchen", "alarm"]'),
    )
    priority = forms.IntegerField(
        min_value=LOWEST_PRIORITY,
        max_value=HIGHEST_PRIORITY,
        widget=UnfoldAdminIntegerFieldWidget,
    )
    read_at = forms.CharField(widget=forms.HiddenInput, required=False)

    class Meta:
        model = MemoryEntry
        fields = ("memory_type", "priority")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        memory: Any = self.instance
        if "content_json" in self.fields:
            lines = memory.content_pretty.count("\n") + 2
            self.fields["content_json"].widget.attrs["rows"] = min(max(lines, 5), 24)
        self.initial.update(
            content_json=memory.content_pretty,
            tags_json=json.dumps(memory.tags, ensure_ascii=False),
            read_at=memory.updated_at.isoformat(),
        )

    def clean_content_json(self) -> Content:
        raw = self.cleaned_data["content_json"].encode()
        if len(raw) > settings.MAX_BODY_BYTES:
            told = _("The content has %(count)s bytes, more than MAX_BODY_BYTES.")
            raise ValidationError(told % {"count": f"{len(raw):,}"})
        try:
            return read_content(raw, "content")
        except ValidationFailed as error:
            raise ValidationError(error.message) from error

    def clean_tags_json(self) -> tuple[str, ...]:
        if "tags_json" not in self.changed_data:  # imported ones may be more than are allowed
            return tuple(self.instance.tags)
        try:
            tags = msgspec.json.decode(self.cleaned_data["tags_json"], type=_Tags)
        except (msgspec.DecodeError, ValueError) as error:
            told = _("The tags cannot be kept: %(reason)s.")
            raise ValidationError(told % {"reason": error}) from error
        return tuple(dict.fromkeys(tags))

    def clean(self) -> dict[str, Any]:
        """Holds the row until the change is committed, so that what is checked here stays so."""
        memory = self.instance
        now = (
            MemoryEntry.objects.filter(owner_id=memory.owner_id, pk=memory.pk)
            .select_for_update()
            .values_list("updated_at", flat=True)
            .first()
        )
        if now is None:
            raise ValidationError(
                _(
                    "This memory was deleted or has expired meanwhile; nothing was saved. "
                    "Restore it from the list first."
                )
            )
        if now.isoformat() != self.data.get(self.add_prefix("read_at")):
            raise ValidationError(
                _(
                    "This memory was changed at %(time)s, while you edited it; nothing was saved. "
                    "Open the page anew and make your changes there."
                )
                % {"time": moment(now)}
            )
        return self.cleaned_data

    def _post_clean(self) -> None:
        """The service writes; the instance stays as it was read."""

    def revise(self, changed_by: str) -> None:
        """Carry out what was changed. Raises MemoriesError where that cannot be."""
        if not (changed := set(self.changed_data) - {"read_at"}):
            return
        content: Content | None = self._changed(changed, "content_json")
        revision = Revision(
            memory_id=self.instance.pk,
            at=timezone.now(),
            memory_type=self._changed(changed, "memory_type"),
            content_json=content.json if content else None,
            tags=self._changed(changed, "tags_json"),
            priority=self._changed(changed, "priority"),
            source_agent=content.source_agent if content else None,
            if_updated_at=self.instance.updated_at,
            changed_by=changed_by,
        )
        [result] = revise_memories([revision])
        if isinstance(result, MemoriesError):
            raise result

    def _changed(self, changed: set[str], field: str) -> Any:
        return self.cleaned_data[field] if field in changed else None


def uneditable_fields(memory: Any) -> Sequence[str]:
    """What is too large for a form is only shown."""
    return ["content_json"] if is_cut(memory.content_pretty) else []
