"""What is fixed for a database once data stands in it."""

from django.db import models
from django.db.models import Q


class Installation(models.Model):
    """One row: the language in which the words of every memory were indexed."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    search_language = models.CharField(max_length=63)

    class Meta:
        db_table = "installation"
        constraints = [
            models.CheckConstraint(condition=Q(id=1), name="one_installation"),
        ]

    def __str__(self) -> str:
        return self.search_language
