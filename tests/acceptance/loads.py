"""A load of creates, updates and deletes, and the proof that each happened exactly once."""

from .wire import NoReply, create, delete, new_name, request, update

TRIES = 5


class Load:
    """Prepared on a running orchestrator; then `requests` are to be sent, in their order.

    `answered` holds the first answer of each request that had a success.
    """

    def __init__(self, peer, server, creates=600, changed=60):
        self._server = server
        self.session = new_name("load")
        old = peer.all_data([create(self.session, "old") for _ in range(3 * changed)])
        ids = [data["memory_id"] for data in old]
        self.old_ids = ids
        self._updated, self._deleted, self._both = (ids[place::3] for place in range(3))
        self.creates = [create(self.session, f"new {number}") for number in range(creates)]
        self.requests = list(self._mixed())
        self.answered = {}

    def _mixed(self):
        changes = [
            *(update(self.session, an_id, "changed") for an_id in self._updated),
            *(delete(self.session, an_id) for an_id in self._deleted),
            *(update(self.session, an_id, "changed") for an_id in self._both),
            *(delete(self.session, an_id) for an_id in self._both),
        ]
        step = len(self.creates) // len(changes)
        for place, change in enumerate(changes):
            yield from self.creates[place * step : (place + 1) * step]
            yield change
        yield from self.creates[len(changes) * step :]

    @property
    def unanswered(self):
        return [each for each in self.requests if each["request_id"] not in self.answered]

    def note(self, reply):
        """Keep an answer; a failure may only be one of the database's or the lane's."""
        if reply["status"] == "error":
            assert reply["error"]["code"] in ("storage_error", "rate_limit_exceeded"), reply
        else:
            first = self.answered.setdefault(reply["request_id"], reply["data"])
            assert reply["data"] == first

    def take_replies(self, peer, count, seconds=20):
        for _ in range(count):
            self.note(peer.receive(seconds))

    def take_what_comes(self, peer, quiet_seconds=0.2):
        """Until there is no more: what is there is there."""
        try:
            while True:
                self.note(peer.receive(quiet_seconds))
        except NoReply:
            return

    def finish(self, peer):
        """Send again, unchanged, what has no answer; then all of it, to have the same answers."""
        for _ in range(TRIES):
            if waiting := self.unanswered:
                for reply in peer.exchange(waiting).values():
                    self.note(reply)
        assert not self.unanswered
        for reply in peer.exchange(self.requests).values():
            self.note(reply)

    def check(self, peer):
        """Each create stored one memory, each change made one revision, and the peer sees it."""
        made = [self.answered[each["request_id"]]["memory_id"] for each in self.creates]
        assert len(set(made)) == len(made)
        stored = dict(
            self._server.rows(
                "SELECT id, version FROM memory_entries WHERE session_id = %s", self.session
            )
        )
        expected = dict.fromkeys(made, 1) | dict.fromkeys(self._updated + self._deleted, 2)
        assert stored == expected | dict.fromkeys(self._both, 3)
        revisions = self._server.rows(
            "SELECT memory_id, action FROM revisions WHERE memory_id = ANY(%s)", self.old_ids
        )
        updated, deleted = self._updated + self._both, self._deleted + self._both
        assert sorted(revisions) == sorted(
            [(an_id, "update") for an_id in updated] + [(an_id, "delete") for an_id in deleted]
        )
        alive = {"memory_ids": [*self.old_ids, *made]}
        seen = peer.data(request("batch_read", alive, self.session))
        assert sorted(seen["missing"]) == sorted(deleted)
        texts = {memory["memory_id"]: memory["content"]["text"] for memory in seen["memories"]}
        assert texts == dict.fromkeys(self._updated, "changed") | {
            an_id: each["payload"]["content"]["text"]
            for an_id, each in zip(made, self.creates, strict=True)
        }
