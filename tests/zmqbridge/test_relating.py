"""The actions on relationships, as the wire has them."""

import msgspec
import pytest

from memories.models import Relationship
from tests.factories import NEVER_MADE, Wire, make_answerer, request
from zmqbridge.accesses import Accesses
from zmqbridge.client import results


def ends(source_id, target_id, **fields):
    return {"source_id": source_id, "target_id": target_id, "relationship_type": "about"} | fields


@pytest.fixture
def pair(wire):
    return wire.create("the cat"), wire.create("its name")


def test_tied_found_and_untied(wire, pair):
    tied = wire.data("relate", ends(*pair))
    assert tied == ends(*pair, strength=1.0, metadata={}, created_at=tied["created_at"])
    found = wire.data("related", {"memory_id": pair[0]})
    [memory] = found["memories"]
    assert memory == wire.data("read", {"memory_id": pair[1]}) | {
        "relationship_type": "about",
        "strength": 1.0,
        "depth": 1,
    }
    assert found["has_more"] is False
    assert msgspec.convert(tied, results.Relationship).strength == 1
    assert msgspec.convert(found, results.Related).memories[0].text == "its name"
    assert wire.data("unrelate", ends(*pair)) == {"removed": True}
    assert wire.data("unrelate", ends(*pair)) == {"removed": False}
    assert wire.data("related", {"memory_id": pair[0]})["memories"] == []


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"source_id": ""}, "payload.source_id"),
        ({"target_id": "x" * 65}, "payload.target_id"),
        ({"target_id": None}, "payload.target_id"),
        ({"target_id": "SOURCE"}, "payload.target_id"),
        ({"relationship_type": ""}, "payload.relationship_type"),
        ({"relationship_type": "x" * 65}, "payload.relationship_type"),
        ({"relationship_type": "a\x00b"}, "payload.relationship_type"),
        ({"strength": 1.01}, "payload.strength"),
        ({"strength": -0.01}, "payload.strength"),
        ({"strength": "strong"}, "payload.strength"),
        ({"metadata": "why"}, "payload.metadata"),
        ({"metadata": []}, "payload.metadata"),
        ({"metadata": {"a": ["b\x00"]}}, "payload.metadata.a[0]"),
        ({"metadata": {"agent_id": 5}}, "payload.metadata.agent_id"),
        ({"metadata": {"agent_id": "x" * 65}}, "payload.metadata.agent_id"),
    ],
)
def test_what_cannot_be_kept_is_refused(wire, pair, changes, field):
    payload = ends(*pair) | changes
    if payload["target_id"] == "SOURCE":
        payload["target_id"] = payload["source_id"]
    error = wire.error("relate", payload)
    assert (error["code"], error["details"]["field"]) == ("validation_error", field)
    assert not Relationship.objects.exists()


@pytest.mark.parametrize("depth", [0, 4, 1.5, "2"])
def test_a_depth_that_is_not_from_1_to_3_is_refused(wire, pair, depth):
    error = wire.error("related", {"memory_id": pair[0], "depth": depth})
    assert error["details"]["field"] == "payload.depth"


@pytest.mark.parametrize("action", ["relate", "unrelate"])
def test_the_memory_that_is_not_there_is_named(wire, pair, action):
    for ids in ((pair[0], NEVER_MADE), (NEVER_MADE, pair[0])):
        error = wire.error(action, ends(*ids))
        assert error["code"] == "memory_not_found"
        assert error["details"] == {"memory_id": NEVER_MADE}


def test_changes_in_one_batch_happen_in_their_order(wire, pair):
    bodies = [
        request("relate", ends(*pair, strength=0.1)),
        request("relate", ends(*pair, strength=0.9)),
        request("unrelate", ends(*pair)),
        request("relate", ends(*pair, strength=0.5)),
        request("delete", {"memory_id": pair[1]}),
        request("relate", ends(*pair, strength=0.7)),
    ]
    replies = wire.answer(bodies)
    assert [reply["data"]["strength"] for reply in (replies[0], replies[1])] == [0.1, 0.9]
    assert replies[2]["data"] == {"removed": True}
    assert replies[5]["error"]["code"] == "memory_not_found"
    assert Relationship.objects.get().strength == 0.5


def test_sent_again_it_does_not_tie_what_was_untied_since(wire, pair):
    body = request("relate", ends(*pair))
    [first] = wire.answer([body])
    wire.data("unrelate", ends(*pair))
    [again] = wire.answer([body])
    assert again["data"] == first["data"]
    assert not Relationship.objects.exists()


def test_a_restored_memory_has_its_ties_again(wire, pair):
    wire.data("relate", ends(*pair))
    wire.data("delete", {"memory_id": pair[1]})
    assert wire.data("related", {"memory_id": pair[0]})["memories"] == []
    wire.data("restore", {"memory_id": pair[1]})
    assert len(wire.data("related", {"memory_id": pair[0]})["memories"]) == 1


def test_the_access_log_tells_which_agent_tied(db):
    accesses = Accesses()
    wire = Wire(make_answerer(accesses=accesses))
    pair = wire.create(), wire.create()
    accesses.take()
    wire.data("relate", ends(*pair, metadata={"agent_id": "oven", "why": "x"}))
    wire.data("related", {"memory_id": pair[0], "metadata": {"agent_id": "porch"}})
    noted = {(access.action, access.agent_id, access.memory_id) for access in accesses.take()}
    assert noted == {
        ("relate", "oven", pair[0]),
        ("relate", "oven", pair[1]),
        ("related", "porch", pair[1]),
    }
