from django.db import migrations, models

from memories.rights import ADMINISTRATOR, OPERATOR, VIEWER, grant


def let_groups_look(apps, schema_editor):
    for group in (VIEWER, OPERATOR, ADMINISTRATOR):
        grant(apps, group, ["memories.view_backup"])


class Migration(migrations.Migration):
    dependencies = [
        ("memories", "0003_groups"),
    ]

    operations = [
        migrations.CreateModel(
            name="Backup",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[("dump", "dump"), ("base", "base backup")], max_length=8
                    ),
                ),
                ("made_at", models.DateTimeField()),
                ("host", models.TextField()),
                ("path", models.TextField(blank=True, default="")),
                ("size_bytes", models.BigIntegerField(default=0)),
                ("row_count", models.BigIntegerField(blank=True, null=True)),
                ("is_encrypted", models.BooleanField(default=False)),
                ("verified_at", models.DateTimeField(blank=True, null=True)),
                ("error", models.TextField(blank=True, default="")),
            ],
            options={
                "db_table": "backups",
                "constraints": [
                    models.UniqueConstraint(fields=("kind", "made_at"), name="one_backup_a_moment"),
                    models.CheckConstraint(
                        condition=models.Q(("error", ""), ("path", ""), _connector="XOR"),
                        name="backup_is_a_file_or_a_failure",
                    ),
                ],
            },
        ),
        migrations.RunPython(let_groups_look, migrations.RunPython.noop),
    ]
