"""Embedding models, what they have embedded and what waits for them. No vector is ever read."""

from typing import Any

from django.contrib import admin
from django.db.models import Func, IntegerField, Q, QuerySet
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from memories.admin.expressions import beginning
from memories.admin.filters import ChoiceFilter
from memories.admin.finding import of_memory
from memories.admin.inspection import InspectionAdmin
from memories.admin.rendering import excerpt, link
from memories.models import Embedding, EmbeddingModel, EmbeddingTask, MemoryEntry
from memories.services.embedding.tasks import MAX_ATTEMPTS


@admin.register(EmbeddingModel)
class EmbeddingModelAdmin(InspectionAdmin):
    list_display = ("name", "kind", "dimension", "state", "created_at", "activated_at")
    list_fields = list_display
    ordering = ("-pk",)
    fields = list_display


class _OfMemoryAdmin(InspectionAdmin):
    """Rows of a memory and a model."""

    list_select_related = ("model",)
    ordering = ("-pk",)
    search_help_text = _("The id of a memory.")

    def named(self, term: str) -> Q:
        return of_memory(term, "memory_id")

    @admin.display(description=_("memory"))
    def of_memory(self, row: Any) -> SafeString:
        return link(MemoryEntry, row.memory_id)


@admin.register(Embedding)
class EmbeddingAdmin(_OfMemoryAdmin):
    list_display = ("id", "of_memory", "model", "version")
    list_fields = ("owner_id", "memory_id", "version", "model__name")
    fields = ("of_memory", "owner_id", "model", "version", "dimension")

    def for_page(self, queryset: QuerySet[Any]) -> Any:
        dimension = Func("embedding", function="vector_dims", output_field=IntegerField())
        return super().for_page(queryset).defer("embedding").annotate(dims=dimension)

    @admin.display
    def dimension(self, embedding: Any) -> int:
        dims: int = embedding.dims
        return dims


class TaskFilter(ChoiceFilter):
    title = _("state")
    parameter_name = "state"
    labels = {"waiting": _("Waiting"), "failing": _("Failing"), "failed": _("Set aside")}

    def narrow(self, queryset: QuerySet[Any], value: str | None) -> QuerySet[Any]:
        if value == "failed":
            return queryset.filter(attempts__gte=MAX_ATTEMPTS)
        if value == "failing":
            queryset = queryset.exclude(error="")
        return queryset.filter(attempts__lt=MAX_ATTEMPTS) if value else queryset


@admin.register(EmbeddingTask)
class EmbeddingTaskAdmin(_OfMemoryAdmin):
    list_filter = (TaskFilter,)
    list_display = ("id", "of_memory", "model", "queued_at", "due_at", "attempts", "what_failed")
    list_fields = ("owner_id", "memory_id", "model__name", "queued_at", "due_at", "attempts")
    fields = ("of_memory", "owner_id", "model", "queued_at", "due_at", "attempts", "error")

    def for_list(self, queryset: QuerySet[Any]) -> Any:
        return super().for_list(queryset).annotate(error_beginning=beginning("error"))

    @admin.display(description=_("error"))
    def what_failed(self, task: Any) -> SafeString:
        return excerpt(task.error_beginning)
