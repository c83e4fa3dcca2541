"""The embedding models: how far each is, and the switch to another."""

from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.urls import reverse
from django.utils import timezone

from memories.models import EmbeddingModel, EmbeddingTask
from memories.services.embedding import fill_estimate
from memories.services.embedding.models import fill_model
from tests.embedders import TrialEmbedder, embed_all, serve_by, stored_model
from tests.factories import store

from .test_memory_page import HOSTILE

pytestmark = pytest.mark.django_db

MODELS = reverse("memories:models")


@pytest.fixture
def two_models():
    """A memory, the model that serves it, and one that is to be filled."""
    serve_by(TrialEmbedder(name="old"))
    store("hello")
    embed_all()
    return stored_model(TrialEmbedder(name="new"))


def shown(client):
    """How far each model is."""
    found = client.get(MODELS).context["models"]
    return {model.name.partition("/")[0]: (model.state, fill.vectors) for model, fill in found}


def switch(client, model, **fields):
    fields |= {"name": model.name, "next": MODELS}
    return client.post(reverse("memories:switch-model"), fields, follow=True)


def fill(model):
    fill_model(model, "", 100)
    embed_all()
    EmbeddingModel.objects.filter(pk=model.pk).update(state="ready")


def test_a_filled_model_is_switched_to_and_a_way_back_stays(enter, two_models):
    client = enter("administrator")
    assert shown(client) == {"old": ("active", 1), "new": ("filling", 0)}
    assert "1 of 1 memories lack its vector" in switch(client, two_models).text
    fill(two_models)
    assert "serves searches; what served before" in switch(client, two_models).text
    assert shown(client) == {"old": ("ready", 1), "new": ("active", 1)}
    [entry] = LogEntry.objects.all()
    assert entry.change_message == "Switched searches to it"


def test_an_unfilled_model_is_switched_to_on_demand(admin_client, two_models):
    switch(admin_client, two_models, even_so="1")
    assert shown(admin_client)["new"][0] == "active"


def test_what_cannot_serve_is_refused(admin_client, two_models):
    EmbeddingModel.objects.filter(pk=two_models.pk).update(dimension=3)
    assert "set it back as it was" in switch(admin_client, two_models, even_so="1").text
    EmbeddingModel.objects.filter(pk=two_models.pk).update(state="retired")
    assert "fill it anew" in switch(admin_client, two_models, even_so="1").text
    two_models.name = "unknown\0"
    assert "no such model" in switch(admin_client, two_models).text


@pytest.mark.parametrize("group", ["viewer", "operator"])
def test_who_may_not_switch_is_offered_nothing_and_refused(enter, two_models, group):
    client = enter(group)
    assert "Let it serve" not in client.get(MODELS).text
    assert switch(client, two_models, even_so="1").status_code == 403
    assert EmbeddingModel.objects.get(pk=two_models.pk).state == "filling"


def test_what_failed_is_shown_and_tried_again(enter):
    embedder = serve_by(TrialEmbedder())
    memory_id = store("hello")
    long_ago = timezone.now() - timedelta(minutes=1)
    EmbeddingTask.objects.update(attempts=5, error=HOSTILE, due_at=long_ago)
    client = enter("operator")
    page = client.get(MODELS)
    assert [failure.memory_id for failure in page.context["failures"]] == [memory_id]
    assert "<script>alert" not in page.text
    retried = client.post(reverse("memories:retry-failed"), {"next": MODELS}, follow=True)
    assert "1 task is back" in retried.text
    embed_all()
    assert embedder.calls == [["hello"]]


def test_many_are_estimated(admin_client, two_models, monkeypatch):
    monkeypatch.setattr(fill_estimate, "COUNTED_MEMORIES", 0)
    [_, (_, fill)] = admin_client.get(MODELS).context["models"]
    assert fill.is_estimate
    assert "about" in admin_client.get(MODELS).text
