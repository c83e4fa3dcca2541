"""The groups of the admin's accounts: each may what the one before it may, and more."""

from django.db import migrations

from memories.rights import ADMINISTRATOR, OPERATOR, VIEWER, grant

MODELS = (
    "accesslog",
    "agentstate",
    "embedding",
    "embeddingmodel",
    "embeddingtask",
    "installation",
    "memoryentry",
    "orchestrator",
    "relationship",
    "requestkey",
    "revision",
    "session",
    "userprofile",
)
LOOK = [f"memories.view_{model}" for model in MODELS]
# Edit, delete softly, restore; end and archive; preferences; embed again what failed.
MEND = [
    f"memories.change_{model}"
    for model in ("memoryentry", "session", "userprofile", "embeddingtask")
]
# Switch the embedding model, erase a user, make accounts, read the log.
GOVERN = [
    "memories.change_embeddingmodel",
    "memories.delete_userprofile",
    "auth.view_user",
    "auth.add_user",
    "auth.change_user",
    "auth.view_group",
    "admin.view_logentry",
]


def make_groups(apps, schema_editor):
    grant(apps, VIEWER, LOOK)
    grant(apps, OPERATOR, LOOK + MEND)
    grant(apps, ADMINISTRATOR, LOOK + MEND + GOVERN)


class Migration(migrations.Migration):
    dependencies = [
        ("memories", "0002_tables"),
        ("auth", "0012_alter_user_first_name_max_length"),
        ("contenttypes", "0002_remove_content_type_name"),
        ("admin", "0003_logentry_add_action_flag_choices"),
    ]

    # Backwards: accounts may be in the groups, which harm nobody.
    operations = [migrations.RunPython(make_groups, migrations.RunPython.noop)]
