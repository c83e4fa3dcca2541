"""The embedding models: how far each is filled, and the switch to another."""

from typing import Any

from django.db import transaction
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from memories.admin.pages import AdminAct, AdminPage, log_changes, posted
from memories.embedders.errors import EmbedderLoadError
from memories.errors import ValidationFailed
from memories.models import EmbeddingModel, EmbeddingTask
from memories.services.embedding.fill_estimate import look_at_fill
from memories.services.embedding.filling import list_set_aside, progress_of, retry_set_aside
from memories.services.embedding.models import activate_model, embedder_of, forget_serving
from memories.services.embedding.vector_index import wants_index

State = EmbeddingModel.State
_SHOWN_FAILURES = 20
SWITCHES = "memories.change_embeddingmodel"
RETRIES = "memories.change_embeddingtask"


class ModelsPage(AdminPage):
    title = gettext_lazy("Embedding models")
    permission_required = ("memories.view_embeddingmodel", "memories.view_embeddingtask")
    template_name = "memories/models.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        models = EmbeddingModel.objects.order_by("-activated_at", "-pk")
        in_use = [model for model in models if model.state != State.RETIRED]
        return super().get_context_data(
            models=[(model, look_at_fill(model)) for model in in_use],
            retired=[model for model in models if model.state == State.RETIRED],
            failures=list_set_aside(_SHOWN_FAILURES),
            may_switch=self.request.user.has_perm(SWITCHES),
            may_retry=self.request.user.has_perm(RETRIES),
            **kwargs,
        )


class SwitchModel(AdminAct):
    """Let searches be served by another model, once it has what they need."""

    permission_required = SWITCHES

    def act(self, request: HttpRequest) -> str:
        model = EmbeddingModel.objects.filter(name=posted(request, "name")).first()
        if model is None:
            raise ValidationFailed("name", _("There is no such model."))
        if model.state == State.ACTIVE:
            return _("%(name)s serves searches already.") % {"name": model.name}
        _check_usable(model)
        if "even_so" not in request.POST:
            _check_filled(model)
        if not activate_model(model):
            raise _refused(_("%(name)s has been retired meanwhile."), model)
        transaction.on_commit(forget_serving)  # until then, others read what served before
        log_changes(request, EmbeddingModel, [str(model.pk)], "Switched searches to it")
        return _(
            "%(name)s serves searches; what served before stays ready for a way back. Set "
            "EMBEDDER=%(kind)s for the next start."
        ) % {"name": model.name, "kind": model.kind}


class RetryFailed(AdminAct):
    permission_required = RETRIES

    def act(self, request: HttpRequest) -> str:
        count = retry_set_aside()
        if count:
            log_changes(request, EmbeddingTask, ["all set aside"], f"Retried {count}")
        text = ngettext(
            "%(count)s task is back in the queue.", "%(count)s tasks are back in the queue.", count
        )
        return text % {"count": f"{count:,}"}


def _check_usable(model: EmbeddingModel) -> None:
    """What is retired or cannot load would leave searches without meaning, and orchestrators
    without a start. Raises ValidationFailed."""
    if model.state == State.RETIRED:
        raise _refused(_("%(name)s is retired: fill it anew first."), model)
    try:
        embedder_of(model)
    except EmbedderLoadError as error:
        raise ValidationFailed("name", str(error)) from error


def _check_filled(model: EmbeddingModel) -> None:
    """Raises ValidationFailed."""
    progress = progress_of(model)
    if model.state == State.FILLING or not progress.is_filled():
        numbers = {"missing": f"{progress.missing:,}", "memories": f"{progress.memories:,}"}
        text = _("%(name)s is not filled: %(missing)s of %(memories)s memories lack its vector.")
        raise ValidationFailed("name", text % ({"name": model.name} | numbers))
    if wants_index(model):
        text = _("%(name)s has no index yet: `manage.py embedding_models activate` builds it.")
        raise _refused(text, model)


def _refused(text: str, model: EmbeddingModel) -> ValidationFailed:
    return ValidationFailed("name", text % {"name": model.name})
