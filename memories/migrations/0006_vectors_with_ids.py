from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("memories", "0005_retention"),
    ]

    operations = [
        migrations.AddConstraint(
            model_name="embedding",
            constraint=models.UniqueConstraint(
                fields=("owner_id", "model", "memory"),
                include=("id",),
                name="one_vector_a_memory_and_model",
            ),
        ),
        migrations.RemoveConstraint(
            model_name="embedding",
            name="one_embedding_a_memory_and_model",
        ),
        # Vacuum marks pages whose rows all see. Ids are then read from the index alone, and each
        # search of an owner reads all of theirs.
        migrations.RunSQL(
            """
            ALTER TABLE embeddings SET (autovacuum_vacuum_insert_scale_factor = 0.01)""",
            "ALTER TABLE embeddings RESET (autovacuum_vacuum_insert_scale_factor)",
        ),
    ]
