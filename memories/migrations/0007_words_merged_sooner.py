"""Merge what waits for the word index after 1 MB instead of 4: a create then pauses for some 10 ms
and not for 100, at the same work in all, and a search reads less of what waits."""

from django.contrib.postgres.indexes import GinIndex
from django.db import migrations
from django.db.models import Q

NAME = "memories_words"


class Migration(migrations.Migration):
    dependencies = [("memories", "0006_vectors_with_ids")]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunSQL(
                    f"ALTER INDEX {NAME} SET (gin_pending_list_limit = 1024)",
                    f"ALTER INDEX {NAME} RESET (gin_pending_list_limit)",
                )
            ],
            state_operations=[
                migrations.RemoveIndex("memoryentry", NAME),
                migrations.AddIndex(
                    "memoryentry",
                    GinIndex(
                        "owner_id",
                        "search",
                        name=NAME,
                        condition=Q(deleted_at=None),
                        gin_pending_list_limit=1024,
                    ),
                ),
            ],
        )
    ]
