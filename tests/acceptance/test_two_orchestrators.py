import time

import pytest

from .processes import wait_until
from .wire import create, delete, new_name, page, read, request, update

# What the protocol allows a cache elsewhere.
HEARD_WITHIN_SECONDS = 2


@pytest.fixture
def here(peer):
    return peer


@pytest.fixture(scope="module")
def other_orchestrator(start_more):
    return start_more()


@pytest.fixture
def there(connect, other_orchestrator):
    return connect(other_orchestrator)


def test_new_memories_are_seen_at_once_everywhere(here, there):
    session = new_name("s")
    for number in range(20):
        made = here.data(create(session, f"the lighthouse number{number}"))
        assert there.data(read(made["memory_id"]))["content"]["text"].endswith(f"number{number}")
        assert there.data(page(session))["total_count"] == number + 1
        asked = {"query": f"number{number}", "search_type": "keyword"}
        found = there.data(request("search", asked, session))["results"]
        assert [memory["memory_id"] for memory in found] == [made["memory_id"]]


def test_a_change_is_seen_at_once_in_filters_and_by_a_fresh_read(here, there):
    session = new_name("s")
    memory_id = here.data(create(session, "text 0"))["memory_id"]
    for number in range(1, 20):
        there.data(read(memory_id))  # into the cache over there
        here.data(update(session, memory_id, f"text {number}"))
        asked = there.data(read(memory_id, fresh=True))
        [listed] = there.data(page(session))["memories"]
        assert asked["content"] == listed["content"] == {"text": f"text {number}"}


def test_a_change_that_is_answered_again_elsewhere_is_seen_there_at_once(here, there):
    session = new_name("s")
    for memory in here.all_data([create(session, "before") for _ in range(100)]):
        memory_id = memory["memory_id"]
        there.data(read(memory_id))
        change = update(session, memory_id, "after")
        assert here.data(change) == there.data(change)
        assert there.data(read(memory_id))["content"] == {"text": "after"}


def test_a_change_elsewhere_ends_what_the_cache_knows(here, there):
    session = new_name("s")
    made = [here.data(create(session, "before"))["memory_id"] for _ in range(20)]
    for memory_id in made:
        assert there.data(read(memory_id))["content"] == {"text": "before"}
    changed, deleted = made[::2], made[1::2]
    here.all_data([update(session, memory_id, "after") for memory_id in changed])
    here.all_data([delete(session, memory_id) for memory_id in deleted])
    began = time.monotonic()
    for memory_id in changed:
        wait_until(lambda an_id=memory_id: there.data(read(an_id))["content"] == {"text": "after"})
    for memory_id in deleted:
        wait_until(lambda an_id=memory_id: there.ask(read(an_id))["status"] == "error")
    assert time.monotonic() - began < HEARD_WITHIN_SECONDS


def test_the_cache_is_not_refilled_with_what_was(here, there):
    """Reads race with updates elsewhere; what is read 2 s after the last one is the last one."""
    session = new_name("s")
    made = [here.data(create(session, "0"))["memory_id"] for _ in range(10)]
    for number in range(1, 30):
        here.send(*(update(session, memory_id, str(number)) for memory_id in made))
        there.send(*(read(memory_id) for memory_id in made))
        here.collect(len(made))
        there.collect(len(made))
    for memory_id in made:
        wait_until(
            lambda an_id=memory_id: there.data(read(an_id))["content"] == {"text": "29"},
            HEARD_WITHIN_SECONDS,
        )


def both(here, there, requests):
    """Send the same to both at the same time: the data that both have to give, in order."""
    here.send(*requests)
    there.send(*requests)
    replies, other_replies = here.collect(len(requests)), there.collect(len(requests))
    found = []
    for each in requests:
        reply, other = replies[each["request_id"]], other_replies[each["request_id"]]
        assert (reply["status"], other["status"]) == ("success", "success"), (reply, other)
        assert reply["data"] == other["data"]
        found.append(reply["data"])
    return found


PAIRS = 100


def test_the_same_creates_at_both_store_once(here, there):
    session = new_name("s")
    made = both(here, there, [create(session, f"turn {number}") for number in range(PAIRS)])
    listed = here.data(page(session))["memories"]
    assert {memory["memory_id"] for memory in listed} == {data["memory_id"] for data in made}
    assert len(listed) == PAIRS


def test_the_same_creates_at_both_in_new_sessions_store_once(here, there):
    sessions = [new_name("s") for _ in range(PAIRS)]
    both(here, there, [create(session, "alone") for session in sessions])
    counts = [data["total_count"] for data in here.all_data([page(each) for each in sessions])]
    assert counts == [1] * PAIRS


def test_the_same_updates_at_both_are_one_revision(here, there):
    session = new_name("s")
    made = here.all_data([create(session, "before") for _ in range(PAIRS)])
    both(here, there, [update(session, data["memory_id"], "after") for data in made])
    for data in made:
        [revision] = here.data(request("history", {"memory_id": data["memory_id"]}, session))[
            "revisions"
        ]
        assert revision["content"] == {"text": "before"}


def test_the_same_guarded_updates_at_both_are_one_revision(here, there):
    session = new_name("s")
    made = here.all_data([create(session, "before") for _ in range(PAIRS)])
    guarded = [update(session, data["memory_id"], "after") for data in made]
    for asked, data in zip(guarded, made, strict=True):
        asked["payload"]["if_updated_at"] = data["created_at"]
    both(here, there, guarded)


def test_the_same_deletes_at_both_delete_once(here, there):
    session = new_name("s")
    made = here.all_data([create(session, "gone") for _ in range(PAIRS)])
    deleted = both(here, there, [delete(session, data["memory_id"]) for data in made])
    assert deleted == [{"deleted": True}] * PAIRS


def test_the_same_deletes_one_by_one_at_both_delete_once(here, there):
    session = new_name("s")
    made = here.all_data([create(session, "gone") for _ in range(PAIRS)])
    for data in made:
        assert both(here, there, [delete(session, data["memory_id"])]) == [{"deleted": True}]


def test_the_same_restores_at_both_restore_once(here, there):
    session = new_name("s")
    made = [here.data(create(session, "back"))["memory_id"] for _ in range(20)]
    here.all_data([delete(session, memory_id) for memory_id in made])
    both(here, there, [request("restore", {"memory_id": an_id}, session) for an_id in made])
    assert there.data(page(session))["total_count"] == len(made)
    for memory_id in made:
        revisions = here.data(request("history", {"memory_id": memory_id}, session))["revisions"]
        assert [revision["action"] for revision in revisions] == ["restore", "delete"]


def test_the_same_bulk_deletes_and_their_restores_at_both_happen_once(here, there):
    sessions = [new_name("s") for _ in range(20)]
    here.all_data([create(session, "swept") for session in sessions for _ in range(5)])
    filter_ = {"filter": {"memory_type": "conversation"}}
    swept = both(here, there, [request("bulk_delete", filter_, each) for each in sessions])
    assert [data["deleted_count"] for data in swept] == [5] * len(sessions)
    restores = [
        request("restore", {"operation_id": data["operation_id"]}, session)
        for data, session in zip(swept, sessions, strict=True)
    ]
    assert both(here, there, restores) == [{"restored_count": 5}] * len(sessions)


def test_the_same_sessions_at_both_are_one(here, there):
    user = new_name("u")
    opened = both(here, there, [request("create_session", {"user_id": user}) for _ in range(PAIRS)])
    listed = here.data(request("list_sessions", {"user_id": user, "limit": 1000}, "any"))
    assert {each["session_id"] for each in listed["sessions"]} == {
        data["session_id"] for data in opened
    }
    assert listed["total_count"] == PAIRS
    ends = [request("end_session", {"summary": "over"}, data["session_id"]) for data in opened]
    both(here, there, ends)


def test_the_same_batches_at_both_store_once(here, there):
    session = new_name("s")
    member = {"memory_type": "conversation", "content": "member"}
    batches = [request("batch_create", {"memories": [member] * 10}, session) for _ in range(20)]
    made = both(here, there, batches)
    assert len({memory_id for data in made for memory_id in data["memory_ids"]}) == 200
    assert there.data(page(session))["total_count"] == 200


def test_both_are_told_apart_and_live(server, here, there):
    names = {each.data(request("stats", {}, "any"))["instance"] for each in (here, there)}
    assert len(names) == 2
    alive = "SELECT instance FROM orchestrators WHERE stopped_at IS NULL"
    assert names <= {row[0] for row in server.rows(alive)}
