from .wire import create, delete, new_name, page, read, request, update


def test_pipelined_turns_keep_their_order(peer):
    session = new_name("s")
    turns = [create(session, f"turn {number}") for number in range(500)]
    created = [data["created_at"] for data in peer.all_data(turns)]
    assert created == sorted(set(created))
    stored = peer.data(page(session, sort={"field": "created_at", "order": "asc"}))["memories"]
    assert [memory["content"]["text"] for memory in stored] == [
        f"turn {number}" for number in range(500)
    ]


def test_changes_of_one_memory_happen_in_the_order_of_their_arrival(peer):
    session = new_name("s")
    made = peer.all_data([create(session, "first") for _ in range(30)])
    changes = {
        each["memory_id"]: [
            update(session, each["memory_id"], "second"),
            update(session, each["memory_id"], "third"),
            delete(session, each["memory_id"]),
            update(session, each["memory_id"], "too late"),
        ]
        for each in made
    }
    replies = peer.exchange([change for four in changes.values() for change in four])
    for memory_id, four in changes.items():
        answers = [replies[change["request_id"]] for change in four]
        assert [answer["status"] for answer in answers] == ["success"] * 3 + ["error"]
        assert answers[-1]["error"]["code"] == "memory_not_found"
        asked = request("history", {"memory_id": memory_id}, session)
        held = [revision["content"]["text"] for revision in peer.data(asked)["revisions"]]
        assert held == ["third", "second", "first"]
        assert peer.ask(read(memory_id))["error"]["code"] == "memory_not_found"


def test_a_bulk_delete_takes_what_came_before_it_and_nothing_else(peer):
    session = new_name("s")
    before = [create(session, "before") for _ in range(100)]
    sweep = request("bulk_delete", {"filter": {"memory_type": "conversation"}}, session)
    after = [create(session, "after") for _ in range(100)]
    replies = peer.exchange([*before, sweep, *after])
    assert replies[sweep["request_id"]]["data"]["deleted_count"] == 100
    left = peer.data(page(session))["memories"]
    assert [memory["content"]["text"] for memory in left] == ["after"] * 100


def test_what_arrives_after_a_bulk_delete_finds_nothing(peer):
    session = new_name("s")
    made = peer.all_data([create(session, "swept") for _ in range(300)])
    sweep = request("bulk_delete", {"filter": {"memory_type": "conversation"}}, session)
    late = [update(session, data["memory_id"], "too late") for data in made]
    replies = peer.exchange([sweep, *late])
    assert {replies[each["request_id"]]["status"] for each in late} == {"error"}
