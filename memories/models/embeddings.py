"""Embedding models and the vectors that they made, apart from the rows that are looked up."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from pgvector.django import VectorField

from memories.models.fields import IdField
from memories.models.memories import MemoryEntry
from memories.models.owned import OwnedModel


class EmbeddingModel(models.Model):
    """An embedder as the database knows it. Several can live at once; one answers searches."""

    class State(models.TextChoices):
        FILLING = "filling"
        READY = "ready"
        ACTIVE = "active"
        RETIRED = "retired"

    name = IdField(max_length=100, unique=True, help_text="embedder and text format")
    kind = models.CharField(max_length=32, help_text="what EMBEDDER calls it")
    dimension = models.PositiveIntegerField()
    state = models.CharField(max_length=8, choices=State.choices, default=State.FILLING)
    created_at = models.DateTimeField()
    activated_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "embedding_models"
        constraints = [
            models.UniqueConstraint(
                fields=["state"], condition=Q(state="active"), name="one_active_embedding_model"
            ),
            models.CheckConstraint(
                condition=Q(state__in=["filling", "ready", "active", "retired"]),
                name="embedding_model_state_known",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Embedding(OwnedModel):
    """The vector of a memory's version. Without a fixed dimension, so that models can change."""

    memory = models.ForeignKey(
        MemoryEntry,
        models.CASCADE,
        related_name="embeddings",
        db_index=False,
        db_constraint=False,  # as of revisions
    )
    model = models.ForeignKey(
        EmbeddingModel, models.PROTECT, related_name="embeddings", db_index=False
    )
    version = models.PositiveIntegerField(help_text="the content_version it was made from")
    embedding = VectorField()

    class Meta:
        db_table = "embeddings"
        constraints = [
            # the vectors of a set of memories; with the id, whether an owner's index is up to date
            models.UniqueConstraint(
                fields=["owner_id", "model", "memory"],
                include=["id"],
                name="one_vector_a_memory_and_model",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.memory_id} by {self.model_id}"


class EmbeddingTask(OwnedModel):
    """A memory whose vector is to be made. Claimed for a while; a failed one waits, and after
    the last attempt stays here with its error until somebody looks."""

    memory = models.ForeignKey(
        MemoryEntry,
        models.CASCADE,
        related_name="embedding_tasks",
        db_index=False,
        db_constraint=False,  # checked for every create, of a row that lives for seconds
    )
    model = models.ForeignKey(EmbeddingModel, models.CASCADE, db_index=False, db_constraint=False)
    due_at = models.DateTimeField(help_text="claimed, or waiting after a failure, until then")
    attempts = models.PositiveSmallIntegerField(default=0)
    error = models.TextField(blank=True, default="")
    embedder_failed = models.BooleanField(
        db_default=False, help_text="the error is the embedder's, not the text's"
    )
    queued_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "embedding_tasks"
        indexes = [
            # what failed, and what was set aside, among a million that wait
            models.Index(
                fields=["attempts", "id"],
                name="embedding_tasks_failed",
                condition=Q(attempts__gte=5) | ~Q(error=""),
            ),
            # what a search has embedded first: the owner's own
            models.Index(fields=["owner_id", "id"], name="embedding_tasks_of_owner"),
        ]

    def __str__(self) -> str:
        return f"{self.memory_id} by {self.model_id}"
