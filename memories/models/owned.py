"""What every table of the assistants' data shares: the owner, by which it can be spread."""

from typing import Any

from django.db import models


class OwnedModel(models.Model):
    """A row that belongs to one owner for ever."""

    owner_id = models.UUIDField(editable=False)

    class Meta:
        abstract = True

    def _do_update(self, base_qs: Any, *args: Any, **kwargs: Any) -> Any:
        # An UPDATE that does not name the distribution column fails on a distributed table.
        return super()._do_update(base_qs.filter(owner_id=self.owner_id), *args, **kwargs)
