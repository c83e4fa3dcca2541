"""Tell what fails from what waits, and how long it has waited; find both without reading all."""

import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("memories", "0009_expiring_of_owner"),
    ]

    operations = [
        migrations.AddField(
            model_name="embeddingtask",
            name="embedder_failed",
            field=models.BooleanField(
                db_default=False, help_text="the error is the embedder's, not the text's"
            ),
        ),
        migrations.AddField(
            model_name="embeddingtask",
            name="queued_at",
            field=models.DateTimeField(db_default=django.db.models.functions.datetime.Now()),
        ),
        migrations.AddIndex(
            model_name="embeddingtask",
            index=models.Index(
                condition=models.Q(
                    ("attempts__gte", 5), models.Q(("error", ""), _negated=True), _connector="OR"
                ),
                fields=["attempts", "id"],
                name="embedding_tasks_failed",
            ),
        ),
        migrations.AddIndex(
            model_name="session",
            index=models.Index(
                condition=models.Q(("ended_at", None), ("is_archived", False)),
                fields=["created_at"],
                name="sessions_open",
            ),
        ),
    ]
