"""Models: which one serves, what may serve, and what a process refuses to mix up."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.core.exceptions import ImproperlyConfigured

from memories.embedders.errors import EmbedderLoadError
from memories.embedders.hashing import HashingEmbedder
from memories.embedders.options import EmbedderOptions, OpenAiOptions
from memories.models import Embedding, EmbeddingModel, EmbeddingTask
from memories.services.embedding import models as embedding_models
from memories.services.embedding.filling import (
    list_set_aside,
    progress_of,
    retry_set_aside,
)
from memories.services.embedding.models import (
    activate_model,
    fill_model,
    forget_serving,
    models_made_here,
    serving,
    set_up_model,
)
from memories.services.embedding.tasks import embed_tasks
from memories.services.store import store_memories
from tests.embedders import TrialEmbedder, embed_all, serve_by, stored_model
from tests.factories import new_memory, run_together, store, wait_until
from tests.memories.embedders.endpoint import Endpoint, hang, status
from tests.memories.services.asking import ask, ids

pytestmark = pytest.mark.django_db


def states():
    return dict(EmbeddingModel.objects.values_list("name", "state"))


class TestStart:
    def test_the_first_start_makes_the_embedder_of_the_settings_serve(self, settings, embedders):
        settings.EMBEDDER = "hashing"
        assert set_up_model() == []
        assert states() == {"hashing-64/1": "active"}
        assert set_up_model() == []
        assert serving().embedder.dimension == 64

    def test_none_serves_nothing_and_no_task_waits(self, settings):
        settings.EMBEDDER = "none"
        assert set_up_model() == []
        assert serving() is None
        store()
        assert not EmbeddingTask.objects.exists()

    def test_none_switches_an_active_model_off_and_says_so(self, settings, trial):
        an_id = store("alpha")
        settings.EMBEDDER = "none"
        [warning] = set_up_model()
        assert "words alone" in warning and "trial/1" in warning
        forget_serving()
        assert serving() is None
        assert embed_tasks() == 0
        result = ask("alpha")
        assert (ids(result), result.search_metadata.partial) == ([an_id], True)
        settings.EMBEDDER = "hashing"
        forget_serving()
        assert not ask("alpha").search_metadata.partial

    def test_what_was_stored_before_the_first_model_is_told_to_wait(self, settings, embedders):
        settings.EMBEDDER = "hashing"
        store("alpha")
        [warning] = set_up_model()
        assert "in the background" in warning
        assert set_up_model() == []

    def test_another_embedder_in_the_settings_is_a_warning_that_says_what_to_do(
        self, settings, trial
    ):
        settings.EMBEDDER = "minilm"
        [warning] = set_up_model()
        assert "embedding_models add minilm" in warning
        assert serving().embedder is trial

    def test_an_embedder_that_would_make_other_vectors_stops_the_start(self, settings, embedders):
        settings.EMBEDDER = "hashing"
        set_up_model()
        embedders["hashing"] = HashingEmbedder(128)
        with pytest.raises(ImproperlyConfigured, match=r"hashing-64/1.*hashing-128/1.*add hashing"):
            set_up_model()

    def test_one_that_cannot_load_stops_the_start_with_its_sentence(self, settings, monkeypatch):
        def fail(*_):
            raise EmbedderLoadError("No such model; run: pip install it")

        settings.EMBEDDER = "e5"
        monkeypatch.setattr(embedding_models, "load_embedder", fail)
        embedding_models.embedders.close()
        with pytest.raises(ImproperlyConfigured, match="pip install it"):
            set_up_model()
        embedding_models.embedders.close()


def test_a_model_that_cannot_load_is_not_tried_at_every_search(monkeypatch, embedders):
    tries = []

    def fail(*_):
        tries.append(1)
        raise EmbedderLoadError("away")

    monkeypatch.setattr(embedding_models, "load_embedder", fail)
    for _ in range(3):
        with pytest.raises(EmbedderLoadError):
            embedding_models.embedders.get("e5")
    assert len(tries) == 1
    embedding_models.embedders.close()


class TestEndpoint:
    """What makes vectors is elsewhere, and may be away."""

    @pytest.fixture
    def endpoint(self, settings, embedders):
        settings.EMBEDDER = "openai"
        endpoint = Endpoint()
        options = OpenAiOptions(endpoint.url, "small")
        settings.EMBEDDER_OPTIONS = EmbedderOptions(openai=options)
        yield endpoint
        if "openai" in embedders:
            embedders.pop("openai").close()
        endpoint.stop()

    def test_its_dimension_is_asked_once_and_known_ever_after(self, db, endpoint, embedders):
        assert set_up_model() == []
        embedders.pop("openai").close()
        forget_serving()
        endpoint.script = [status(503)] * 9
        assert set_up_model() == []
        assert serving().embedder.dimension == 3
        assert len(endpoint.requests) == 1

    def test_while_one_hangs_others_are_had(self, db, endpoint, trial):
        endpoint.script = [hang]
        with ThreadPoolExecutor(1) as pool:
            loading = pool.submit(embedding_models.embedders.get, "openai")
            wait_until(lambda: endpoint.requests)
            forget_serving()
            assert serving().embedder is trial
            assert not loading.done()
            endpoint.released.set()


class TestSwitch:
    def test_exactly_one_is_active_and_the_old_one_stays_ready(self, trial):
        new = stored_model(TrialEmbedder(name="new"), "e5")
        activate_model(new)
        assert states() == {"trial/1": "ready", "new/1": "active"}
        assert serving().embedder.name == "new"
        activate_model(EmbeddingModel.objects.get(name="trial/1"))
        assert states() == {"trial/1": "active", "new/1": "ready"}

    def test_a_retired_one_is_not_switched_to(self, trial):
        new = stored_model(TrialEmbedder(name="new"), "e5")
        assert retire_idle(new)
        assert not activate_model(new)
        assert states() == {"trial/1": "active", "new/1": "retired"}

    def test_both_get_what_is_stored_while_one_is_filled(self, trial):
        new = stored_model(TrialEmbedder(16, "new"), "e5")
        an_id = store()
        embed_all()
        found = Embedding.objects.filter(memory_id=an_id).values_list("model_id", flat=True)
        assert set(found) == {serving().model_id, new.id}

    def test_a_process_that_is_set_up_otherwise_makes_and_serves_nothing_of_it(
        self, trial, embedders
    ):
        """Another process has switched to what this one cannot compare with."""
        serve_by(TrialEmbedder(name="new"), "openai")
        embedders["openai"] = TrialEmbedder(name="old")
        forget_serving()
        assert [embedder.name for embedder in models_made_here().values()] == ["trial"]
        with pytest.raises(EmbedderLoadError, match="new/1"):
            serving()

    @pytest.mark.django_db(transaction=True)
    def test_many_switches_at_once_leave_one(self, transactional_db, trial):
        models = [stored_model(TrialEmbedder(name=f"m{n}"), "e5") for n in range(4)]
        run_together([lambda model=model: activate_model(model) for model in models])
        assert sorted(states().values()) == ["active", "ready", "ready", "ready", "ready"]


def retire_idle(model):
    """Within a test's transaction, where no index can be dropped concurrently."""
    return EmbeddingModel.objects.filter(id=model.id).update(state="retired")


class TestFilling:
    def test_what_has_neither_vector_nor_task_is_queued_in_batches(self, trial):
        before = {
            stored.memory_id for stored in store_memories([new_memory(str(n)) for n in range(7)])
        }
        store("")
        embed_all()
        new = stored_model(TrialEmbedder(name="new"), "e5")
        after = store("said meanwhile")
        last_id, queued, looks = "", 0, 0
        while looks == 0 or last_id:
            last_id, count = fill_model(new, last_id, 3)
            queued, looks = queued + count, looks + 1
        assert (queued, looks) == (7, 4)
        tasks = EmbeddingTask.objects.filter(model_id=new.id)
        assert set(tasks.values_list("memory_id", flat=True)) == before | {after}
        assert fill_model(new, "", 100).tasks == 0

    def test_its_progress_tells_what_lacks(self, trial):
        for text in ("one", "two", "three", ""):
            store(text)
        embed_all()
        new = stored_model(TrialEmbedder(name="new"), "e5")
        progress = progress_of(new)
        assert (progress.memories, progress.missing, progress.unqueued) == (3, 3, 3)
        assert not progress.is_filled()
        fill_model(new, "", 2)
        progress = progress_of(new)
        assert progress.unqueued + progress.waiting == 3
        fill_model(new, "", 9)
        embed_all()
        progress = progress_of(new)
        assert (progress.missing, progress.waiting) == (0, 0)
        assert progress.is_filled()

    def test_what_is_set_aside_is_told_and_can_be_tried_again(self, trial):
        an_id = store("bad")
        EmbeddingTask.objects.update(attempts=5, error="No such text.")
        active = EmbeddingModel.objects.get()
        assert progress_of(active).set_aside == 1
        assert not progress_of(active).is_filled()
        assert list_set_aside(10) == [("trial/1", an_id, "No such text.")]
        assert retry_set_aside() == 1
        embed_all()
        assert progress_of(active).is_filled()
