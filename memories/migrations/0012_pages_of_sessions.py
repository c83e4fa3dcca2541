"""Have a page of a session read that session alone, however many memories its owner has."""

from django.db import migrations, models

NAME = "memories_of_session"


class Migration(migrations.Migration):
    dependencies = [("memories", "0011_import_reports")]

    operations = [
        migrations.RemoveIndex("memoryentry", NAME),
        migrations.AddIndex(
            "memoryentry",
            models.Index(
                fields=["session", "owner_id", "-created_at", "id"],
                name=NAME,
                condition=models.Q(deleted_at=None),
            ),
        ),
    ]
