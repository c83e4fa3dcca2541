"""The session actions, as the wire has them."""

import pytest

from memories.ids import owner_of_session, owner_of_user, session_id
from memories.models import MemoryEntry, Session
from tests.factories import SESSION, create, request


def owner(session_id):
    return Session.objects.get(id=session_id).owner_id


def opened(wire, session_id=None, **payload):
    return wire.data("create_session", payload, session_id=session_id)["session_id"]


def seen(wire, session_id):
    return wire.data("get_session", {"session_id": session_id})


class TestOpening:
    def test_the_server_makes_the_id(self, wire):
        first, second = opened(wire), opened(wire)
        assert first != second
        assert first.startswith("session-")
        assert seen(wire, first)["user_id"] is None

    def test_sent_again_it_opens_no_second(self, wire):
        body = request("create_session", {"user_id": "ann"})
        first, second = wire.answer([body, body])
        [third] = wire.answer([body])
        assert first["data"] == second["data"] == third["data"]
        assert Session.objects.count() == 1

    def test_a_client_may_bring_its_own_id(self, wire):
        assert opened(wire, "mine", user_id="ann") == "mine"
        assert opened(wire, "mine", user_id="ann") == "mine"
        assert owner("mine") == owner_of_user("ann")

    def test_an_id_in_use_by_another_owner_is_refused(self, wire):
        opened(wire, "mine", user_id="ann")
        error = wire.error("create_session", {"user_id": "bob"}, session_id="mine")
        assert error["code"] == "validation_error"
        assert error["details"]["field"] == "session_id"
        assert owner("mine") == owner_of_user("ann")

    def test_without_a_user_a_session_of_a_user_is_anothers(self, wire):
        opened(wire, "mine", user_id="ann")
        error = wire.error("create_session", {}, session_id="mine")
        assert (error["code"], error["details"]["field"]) == ("validation_error", "session_id")
        alone = opened(wire)
        assert wire.data("create_session", {}, session_id=alone)["session_id"] == alone

    def test_a_made_up_id_leads_into_no_other_owners_memories(self, wire):
        """The ids that are made here hold their owner, and a user's owner can be computed."""
        wire.create("secret", session_id=opened(wire, user_id="ann"))
        written, asked_for = (session_id(owner_of_user("ann"), bytes([n] * 16)) for n in (1, 2))
        wire.create("mine", session_id=written)
        opened(wire, asked_for)
        for forged, found in ((written, ["mine"]), (asked_for, [])):
            assert owner(forged) == owner_of_session(forged)
            assert wire.found(forged, scope="user") == found

    def test_sessions_of_a_user_share_its_owner(self, wire):
        first, second = opened(wire, user_id="ann"), opened(wire, user_id="ann")
        assert owner(first) == owner(second) == owner_of_user("ann") != owner_of_user("an")

    def test_type_and_metadata_are_kept(self, wire):
        kept = seen(wire, opened(wire, session_metadata={"session_type": "call", "n": [1.10]}))
        assert kept["session_type"] == "call"
        assert kept["session_metadata"] == {"session_type": "call", "n": [1.10]}
        assert seen(wire, opened(wire))["session_type"] == "conversation"
        both = opened(wire, session_type="chat", session_metadata={"session_type": "call"})
        assert seen(wire, both)["session_type"] == "chat"

    @pytest.mark.parametrize(
        "metadata",
        [5, [1], "text", {"a": "NUMBER"}, {"session_type": 5}, {"a": "b\x00"}],
    )
    def test_metadata_that_cannot_be_kept_is_refused(self, wire, metadata):
        """1e131000 takes eight bytes here and a hundred kilobytes in each later answer."""
        body = request("create_session", {"session_metadata": metadata})
        [reply] = wire.answer([body.replace(b'"NUMBER"', b"1e131000")])
        assert reply["error"]["code"] == "validation_error"
        assert reply["error"]["details"]["field"].startswith("payload.session_metadata")

    def test_a_write_opens_the_session_that_it_names(self, wire):
        wire.create("hello", session_id="never-seen")
        assert seen(wire, "never-seen")["memory_count"] == 1
        assert owner("never-seen") == owner_of_session("never-seen")

    def test_reading_in_an_unknown_session_finds_nothing(self, wire):
        assert wire.found("never-seen") == []
        assert wire.data("search", {"query": "hello"})["results"] == []
        assert wire.data("summarize", {})["memory_count"] == 0
        assert wire.data("bulk_delete", {"filter": {"tags": ["a"]}})["deleted_count"] == 0
        assert not Session.objects.exists()

    def test_a_session_opened_and_used_in_one_batch(self, wire):
        bodies = [
            request("create_session", {"user_id": "ann"}, session_id="s"),
            request("create", create(), session_id="s"),
        ]
        assert [reply["status"] for reply in wire.answer(bodies)] == ["success", "success"]
        assert MemoryEntry.objects.get().owner_id == owner_of_user("ann")


class TestEnding:
    def test_unknown(self, wire):
        for action in ("end_session", "get_session"):
            assert wire.error(action)["code"] == "session_not_found"

    def test_the_payload_may_be_left_out(self, wire):
        wire.create()
        for payload in (b"", b',"payload":null'):
            body = (
                b'{"action":"end_session","request_id":"%d","session_id":"%s",'
                b'"timestamp":"2026-01-01T00:00:00Z"%s}'
            ) % (len(payload), SESSION.encode(), payload)
            [reply] = wire.answer([body])
            assert reply["data"]["session_id"] == SESSION
            assert reply["data"]["is_archived"] is False

    def test_twice_keeps_the_first_end(self, wire):
        wire.create()
        first = wire.data("end_session", {"summary": "short"})
        second = wire.data("end_session", {"archive": True})
        assert second["ended_at"] == first["ended_at"]
        assert second["is_archived"] is True
        assert seen(wire, SESSION)["summary"] == "short"

    def test_a_write_into_an_ended_session_is_stored_and_does_not_reopen_it(self, wire):
        wire.create("before")
        ended_at = wire.data("end_session")["ended_at"]
        wire.create("after")
        assert wire.found() == ["after", "before"]
        assert seen(wire, SESSION)["ended_at"] == ended_at


class TestListing:
    def test_newest_first_in_pages(self, wire):
        ids = [opened(wire, user_id="ann") for _ in range(5)]
        opened(wire, user_id="bob")
        pages = [
            wire.data("list_sessions", {"user_id": "ann", "limit": 2, "offset": offset})
            for offset in (0, 2, 4)
        ]
        listed = [session["session_id"] for page in pages for session in page["sessions"]]
        assert listed == ids[::-1]
        assert [page["total_count"] for page in pages] == [5, 5, 5]
        assert [page["page_info"]["has_more"] for page in pages] == [True, True, False]

    def test_archived_ones_only_when_asked_for(self, wire):
        kept, archived = opened(wire, user_id="ann"), opened(wire, user_id="ann")
        wire.data("end_session", {"archive": True}, session_id=archived)
        without = wire.data("list_sessions", {"user_id": "ann"})
        assert [session["session_id"] for session in without["sessions"]] == [kept]
        assert without["total_count"] == 1
        everything = wire.data("list_sessions", {"user_id": "ann", "archived": True})
        assert everything["total_count"] == 2

    def test_counts_are_of_what_is_alive(self, wire):
        gone = wire.create("one")
        wire.create("two")
        wire.data("delete", {"memory_id": gone})
        [session] = wire.data("list_sessions", {})["sessions"]
        assert session["memory_count"] == 1
        assert session["last_memory_at"]

    def test_a_page_is_cut_where_the_reply_would_pass_its_limit(self, wire):
        metadata = {"a": "x" * 1_000_000}
        for _ in range(18):
            opened(wire, user_id="ann", session_metadata=metadata)
        page = wire.data("list_sessions", {"user_id": "ann", "limit": 100})
        assert 10 < len(page["sessions"]) < 17
        assert page["page_info"]["has_more"] is True
        rest = {"user_id": "ann", "limit": 100, "offset": len(page["sessions"])}
        assert len(wire.data("list_sessions", rest)["sessions"]) == 18 - len(page["sessions"])
