"""What imports found, for somebody to read; all may look, and operators mark it as read."""

from django.db import migrations, models

from memories.rights import ADMINISTRATOR, OPERATOR, VIEWER, grant


def grant_rights(apps, schema_editor):
    for group in (VIEWER, OPERATOR, ADMINISTRATOR):
        grant(apps, group, ["memories.view_importreport"])
    for group in (OPERATOR, ADMINISTRATOR):
        grant(apps, group, ["memories.change_importreport"])


class Migration(migrations.Migration):
    dependencies = [
        ("memories", "0010_waiting_told"),
    ]

    operations = [
        migrations.CreateModel(
            name="ImportReport",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("source", models.TextField(help_text="what was imported")),
                ("began_at", models.DateTimeField()),
                ("ended_at", models.DateTimeField()),
                ("host", models.TextField()),
                ("path", models.TextField(help_text="of the report, on that machine")),
                ("findings", models.JSONField(default=list)),
                ("finding_count", models.BigIntegerField()),
                ("read_at", models.DateTimeField(blank=True, null=True)),
                ("read_by", models.CharField(blank=True, default="", max_length=150)),
            ],
            options={
                "db_table": "import_reports",
            },
        ),
        migrations.RunPython(grant_rights, migrations.RunPython.noop),
    ]
