"""What the home page says of the embedder, its lag and the backups, in each of their states."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from memories.embedders.errors import EmbedderUnavailable
from memories.models import EmbeddingTask
from memories.services.backups import BackupSeen, record_backup, record_failure
from memories.services.embedding.tasks import MAX_ATTEMPTS
from tests.embedders import embed_all
from tests.factories import store

from .conftest import list_url
from .test_home import checks_of

pytestmark = pytest.mark.django_db

LIVE = reverse("memories:home-live")


def check(client, title):
    return checks_of(client.get(LIVE))[title]


def try_all(times):
    """As if the waits after each failure were over."""
    for _ in range(times):
        EmbeddingTask.objects.update(due_at=timezone.now() - timedelta(minutes=1))
        embed_all()


def queued_long_ago():
    EmbeddingTask.objects.update(queued_at=timezone.now() - timedelta(minutes=10, seconds=30))


def test_without_a_model_nothing_is_found_by_meaning(admin_client):
    assert check(admin_client, "Embedder").word == "none"


def test_an_embedder_that_follows_serves_in_time(admin_client, trial):
    store()
    waiting = check(admin_client, "Embedding lag")
    assert (waiting.state, waiting.detail) == ("success", "1 waiting")
    embed_all()
    assert check(admin_client, "Embedder").state == "success"
    assert check(admin_client, "Embedding lag").value == "0.0 s"


def test_nobody_embeds_is_told_by_the_lag(admin_client, trial):
    store()
    queued_long_ago()
    lag = check(admin_client, "Embedding lag")
    assert (lag.state, lag.value) == ("warning", "10\xa0minutes")


def test_an_embedder_that_is_away_fails_and_the_lag_grows(admin_client, trial):
    def away(texts):
        raise EmbedderUnavailable("The endpoint is away.")

    trial.before = away
    store()
    try_all(MAX_ATTEMPTS + 1)
    assert EmbeddingTask.objects.get().due_at > timezone.now()  # nothing is due, and all waits
    queued_long_ago()
    embedder = check(admin_client, "Embedder")
    assert (embedder.state, embedder.word) == ("danger", "fails")
    assert "endpoint is away" in embedder.detail
    lag = check(admin_client, "Embedding lag")
    assert (lag.state, lag.detail) == ("warning", "1 waiting, 1 failing")
    assert "endpoint is away" in admin_client.get(list_url("embeddingtask", state="failing")).text
    trial.before = lambda texts: None
    try_all(1)
    assert check(admin_client, "Embedder").word == "serves"


def test_a_text_that_cannot_be_embedded_is_not_the_embedder_s_failure(admin_client, trial):
    def choke(texts):
        if any("poison" in text for text in texts):
            raise ValueError("I choke")

    trial.before = choke
    store("poison")
    try_all(1)
    assert check(admin_client, "Embedder").word == "serves"
    assert "1 failing" in check(admin_client, "Embedding lag").detail
    try_all(MAX_ATTEMPTS)
    EmbeddingTask.objects.update(due_at=timezone.now() - timedelta(minutes=1))
    queued_long_ago()
    assert check(admin_client, "Embedder").word == "serves"
    assert check(admin_client, "Embedding lag").state == "success"
    [work] = admin_client.get(reverse("admin:index")).context["work"]
    assert work.text == "1 memory could not be embedded"


def backed_up(days_ago):
    made_at = timezone.now() - timedelta(days=days_ago)
    seen = BackupSeen(kind="dump", made_at=made_at, host="here", path="/a.dump", size_bytes=1)
    record_backup(seen)


def test_the_last_backup_is_fresh_or_old_or_failed_since(admin_client):
    assert check(admin_client, "Last good backup").word == "none"
    backed_up(days_ago=3)
    assert check(admin_client, "Last good backup").word == "old"
    backed_up(days_ago=1)
    fresh = check(admin_client, "Last good backup")
    assert (fresh.state, fresh.value) == ("success", "1\xa0day ago")
    record_failure("dump", timezone.now(), "the disk is full")
    assert check(admin_client, "Last good backup").word == "failed since"
    [work] = admin_client.get(reverse("admin:index")).context["work"]
    assert work.detail == "the disk is full"
