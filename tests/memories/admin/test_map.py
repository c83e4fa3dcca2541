"""The map of an owner's memories, computed in the background."""

from datetime import UTC, datetime

import numpy as np
import pytest
from django.contrib.admin.utils import unquote
from django.urls import reverse

from memories.admin.map import forget_maps
from memories.ids import owner_of_user
from memories.services import vector_map
from memories.services.vector_map import flatten
from tests.embedders import TrialEmbedder, embed_all, serve_by
from tests.factories import other_connection, store, wait_until

from .rows import delete, open_session

pytestmark = pytest.mark.django_db(transaction=True)  # a thread has a connection of its own


@pytest.fixture(autouse=True)
def _no_maps():
    forget_maps()
    yield
    forget_maps()


def said_at(hour):
    return datetime(2026, 1, 1, hour, tzinfo=UTC)


def points_of(client, user_id):
    url = reverse("memories:map-points", args=[owner_of_user(user_id)])

    def computed():
        response = client.get(url)
        return response.json() if response.status_code == 200 else None

    return wait_until(computed, 60)


def test_each_embedded_memory_is_a_point(admin_client):
    serve_by(TrialEmbedder())
    session_id = open_session("hall", "ann")
    kept = {store(f"kettle {number}", session_id) for number in range(3)}
    kept.add(store("dentist", session_id, memory_type="entity"))
    gone = store("gone", session_id)
    store("elsewhere", open_session("kitchen", "bob"))
    embed_all()
    delete(gone)
    drawn = points_of(admin_client, "ann")
    assert {unquote(point[4]) for point in drawn["points"]} == kept
    assert drawn["types"] == ["conversation", "entity"]


def test_of_many_the_newest_are_drawn(admin_client, monkeypatch):
    monkeypatch.setattr(vector_map, "MOST_POINTS", 2)
    monkeypatch.setattr(vector_map, "_FETCHED_ROWS", 1)
    serve_by(TrialEmbedder())
    session_id = open_session("hall", "ann")
    stored = [store(f"turn {n}", session_id, created_at=said_at(n)) for n in range(3)]
    embed_all()
    drawn = points_of(admin_client, "ann")
    assert [unquote(point[4]) for point in drawn["points"]] == [stored[2], stored[1]]


def test_the_types_of_a_map_are_bounded(admin_client):
    serve_by(TrialEmbedder())
    session_id = open_session("hall", "ann")
    for number in range(12):
        store(f"turn {number}", session_id, memory_type=f"type-{number:02}")
    embed_all()
    drawn = points_of(admin_client, "ann")
    assert (len(drawn["types"]), drawn["types"][-1]) == (11, "other")
    assert {point[2] for point in drawn["points"]} == set(range(11))


def test_whoever_asks_too_soon_is_told_to_ask_again(admin_client):
    open_session("hall", "ann")
    url = reverse("memories:map-points", args=[owner_of_user("ann")])
    with other_connection() as other:
        other.execute("BEGIN")
        other.execute("LOCK TABLE embedding_models")  # so that it cannot be computed yet
        assert [admin_client.get(url).status_code for _ in range(2)] == [202, 202]
        other.execute("ROLLBACK")
    assert points_of(admin_client, "ann")["points"] == []


def test_a_user_without_vectors_has_an_empty_map(admin_client):
    open_session("hall", "ann")
    assert points_of(admin_client, "ann") == {"types": [], "points": []}


def test_an_unknown_owner_has_none(admin_client):
    url = reverse("memories:map-points", args=[owner_of_user("nobody")])
    assert admin_client.get(url).status_code == 404


def test_what_differs_most_lies_farthest_apart():
    chance = np.random.default_rng(1)
    vectors = chance.normal(0, 0.1, (200, 16)).astype(np.float32)
    vectors[:100, 3] += 5
    places = flatten(vectors)
    assert places.shape == (200, 2)
    assert abs(places[:100, 0].mean() - places[100:, 0].mean()) > 1.5
    assert np.isfinite(flatten(np.ones((3, 16), np.float32))).all()
