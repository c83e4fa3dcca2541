from django.contrib.postgres.operations import BtreeGinExtension
from django.db import migrations
from pgvector.django import VectorExtension


class Migration(migrations.Migration):
    initial = True
    dependencies = []
    operations = [VectorExtension(), BtreeGinExtension()]
