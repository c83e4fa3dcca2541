"""The client against a network that loses, delays, repeats and garbles. See scripted_router."""

import asyncio
import gc
import json
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pytest

from tests.zmqbridge.scripted_router import MEMORY, ScriptedRouter, answer, keep_silent
from zmqbridge import client as c
from zmqbridge.client import AsyncClient, Client

NOON = datetime(2026, 8, 1, 12, tzinfo=UTC)


def connected(router, **options):
    return Client(router.endpoint, **{"session_id": "kitchen", "timeout_seconds": 10, **options})


def test_a_request_bears_the_envelope_and_a_reply_becomes_its_type():
    with ScriptedRouter(answer) as router, connected(router, agent_id="oven") as client:
        stored = client.create("hello", request_id="r-1", timestamp=NOON, ttl_seconds=60)
    assert stored == c.Stored("r-1", datetime(2026, 1, 31, 8, 30, tzinfo=UTC))
    assert json.loads(router.received[0].body) == {
        "action": "create",
        "request_id": "r-1",
        "session_id": "kitchen",
        "timestamp": "2026-08-01T12:00:00Z",
        "payload": {
            "content": "hello",
            "memory_type": "conversation",
            "ttl": 60,
            "metadata": {"agent_id": "oven"},
        },
    }


def test_a_lost_reply_is_asked_for_again_with_the_same_bytes():
    def lose_two(router, incoming):
        if len(router.received) == 3:
            router.succeed(incoming)

    with ScriptedRouter(lose_two) as router, connected(router, resend_seconds=0.05) as client:
        assert client.create("hello").memory_id == "mem-1"
        bodies = [incoming.body for incoming in router.received]
    assert len(bodies) == 3
    assert len(set(bodies)) == 1


def test_replies_that_are_late_repeated_foreign_or_garbage_change_nothing():
    def misbehave(router, incoming):
        for garbage in (b"", b"\xff\x00", b"[]", b"{}", b'{"request_id": 1}', b"[" * 100_000):
            router.send(incoming, garbage)
        router.send(incoming, b'{"request_id": "unknown", "status": "error", "error": {}}')
        for _ in range(3):
            answer(router, incoming)
        for earlier in router.received[:-1]:
            answer(router, earlier)

    with ScriptedRouter(misbehave) as router, connected(router) as client:
        for number in range(5):
            assert client.create("x", request_id=f"r-{number}").memory_id == f"r-{number}"


def test_many_threads_share_a_client_whatever_the_order_of_replies():
    held = []

    def answer_backwards(router, incoming):
        held.append(incoming)
        if len(held) == 40:
            while held:
                answer(router, held.pop())

    def create(number):
        return client.create("x", request_id=f"r-{number}").memory_id

    with (
        ScriptedRouter(answer_backwards) as router,
        connected(router) as client,
        ThreadPoolExecutor(40) as threads,
    ):
        assert list(threads.map(create, range(200))) == [f"r-{n}" for n in range(200)]


def test_a_broken_connection_is_made_good_without_waiting_for_the_resend():
    with connected_after_restart() as (client, answered):
        started = time.monotonic()
        assert answered.result(10).memory_id == "r-1"
        assert time.monotonic() - started < 5
        assert client.create("x", request_id="r-2").memory_id == "r-2"


class connected_after_restart:
    """A client, and the future of a create whose router died with it, and came back."""

    def __enter__(self):
        silent = ScriptedRouter(keep_silent)
        self.client = connected(silent, resend_seconds=60, timeout_seconds=20)
        self.threads = ThreadPoolExecutor(1)
        answered = self.threads.submit(self.client.create, "x", request_id="r-1")
        silent.wait_for(1)
        silent.stop()
        self.router = ScriptedRouter(answer, silent.port)
        return self.client, answered

    def __exit__(self, *_):
        self.threads.shutdown()
        self.client.close()
        self.router.stop()


def test_a_busy_orchestrator_is_asked_again_when_it_said():
    times = []

    def refuse_twice(router, incoming):
        times.append(time.monotonic())
        if len(times) < 3:
            router.refuse(incoming, "rate_limit_exceeded", retry_after=0.2)
        else:
            router.succeed(incoming)

    with ScriptedRouter(refuse_twice) as router, connected(router, resend_seconds=60) as client:
        client.create("x")
    assert all(later - sooner >= 0.2 for sooner, later in pairwise(times))
    assert len({incoming.body for incoming in router.received}) == 1


def test_a_pause_past_the_deadline_is_not_waited_for():
    def refuse(router, incoming):
        router.refuse(incoming, "rate_limit_exceeded", retry_after=60)

    started = time.monotonic()
    with (
        ScriptedRouter(refuse) as router,
        connected(router) as client,
        pytest.raises(c.RateLimited) as raised,
    ):
        client.create("x", timeout_seconds=30)
    assert raised.value.retry_after_seconds == 60
    assert time.monotonic() - started < 20


def test_a_database_that_comes_back_within_the_deadline_is_not_noticed():
    def recover(router, incoming):
        if len(router.received) < 3:
            router.refuse(incoming, "storage_error", outcome="unknown")
        else:
            router.succeed(incoming)

    with ScriptedRouter(recover) as router, connected(router) as client:
        assert client.create("x").memory_id == "mem-1"
    assert len({incoming.body for incoming in router.received}) == 1


def test_a_database_that_stays_away_is_told_with_the_outcome():
    def refuse(router, incoming):
        router.refuse(incoming, "storage_error", outcome="unknown")

    with (
        ScriptedRouter(refuse) as router,
        connected(router, timeout_seconds=3) as client,
        pytest.raises(c.StorageFailed) as raised,
    ):
        client.create("x")
    assert raised.value.outcome == "unknown"
    assert len(router.received) > 1


def test_a_refusal_does_not_hide_that_an_earlier_sending_went_unanswered():
    def lose_then_refuse(router, incoming):
        if len(router.received) > 1:
            router.refuse(incoming, "storage_error")

    with (
        ScriptedRouter(lose_then_refuse) as router,
        connected(router, timeout_seconds=0.6, resend_seconds=0.1) as client,
        pytest.raises(c.TimedOut),
    ):
        client.create("x")


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("invalid_request", c.InvalidRequest),
        ("validation_error", c.ValidationFailed),
        ("memory_not_found", c.MemoryNotFound),
        ("session_not_found", c.SessionNotFound),
        ("permission_denied", c.PermissionDenied),
        ("search_error", c.SearchFailed),
        ("internal_error", c.InternalFailed),
        ("a_later_code", c.RequestFailed),
    ],
)
def test_an_error_is_raised_by_its_code_and_sent_once(code, expected):
    def refuse(router, incoming):
        router.refuse(incoming, code, field="payload.priority")

    with (
        ScriptedRouter(refuse) as router,
        connected(router) as client,
        pytest.raises(expected) as raised,
    ):
        client.create("x")
    assert type(raised.value) is expected
    assert raised.value.code == code
    assert raised.value.details["field"] == "payload.priority"
    assert len(router.received) == 1
    if expected is c.ValidationFailed:
        assert raised.value.field == "payload.priority"


def test_silence_ends_at_the_deadline():
    with ScriptedRouter(keep_silent) as router, connected(router) as client:
        started = time.monotonic()
        with pytest.raises(c.TimedOut, match=r"create from tcp://.* within 0\.3 s") as raised:
            client.create("x", timeout_seconds=0.3)
        assert 0.3 <= time.monotonic() - started < 8
        assert not isinstance(raised.value, c.Unreachable)


def test_nobody_there_is_told_apart_from_silence():
    with ScriptedRouter(answer) as router:
        pass
    with connected(router) as client, pytest.raises(c.Unreachable, match=router.endpoint):
        client.ping(timeout_seconds=0.3)


def test_a_reply_of_another_shape_is_an_error():
    def reply_oddly(router, incoming):
        router.succeed(incoming, {"memory_id": 7})

    with (
        ScriptedRouter(reply_oddly) as router,
        connected(router) as client,
        pytest.raises(c.BadReply, match="create"),
    ):
        client.create("x")


def test_a_ping_tells_what_is_wrong():
    def degrade(router, incoming):
        router.reply(incoming, status="degraded", problems={"database": "away"})

    with ScriptedRouter(degrade) as router, Client(router.endpoint) as client:
        health = client.ping()
    assert not health.is_ok
    assert health.problems == {"database": "away"}


@pytest.mark.parametrize(
    ("call", "complaint"),
    [
        (lambda client: client.create({"x": float("nan")}), "create cannot be sent"),
        (lambda client: client.create({"x": b"bytes"}), "bytes is no JSON type"),
        (lambda client: client.create("\ud800"), "create cannot be sent"),
        (lambda client: client.create("x" * (17 << 20)), "bytes"),
        (lambda client: client.create("x", created_at=datetime(2026, 1, 1)), "time zone"),
        (lambda client: client.create("x", timestamp=datetime(2026, 1, 1)), "time zone"),
        (lambda client: client.create("x", timeout_seconds=0), "timeout_seconds"),
    ],
)
def test_what_cannot_be_sent_is_not_sent(call, complaint):
    with ScriptedRouter(answer) as router, connected(router) as client:
        with pytest.raises(c.UnusableArgument, match=complaint):
            call(client)
        client.create("x")
    assert len(router.received) == 1


def test_a_call_without_a_session_says_so():
    with (
        ScriptedRouter(answer) as router,
        Client(router.endpoint) as client,
        pytest.raises(c.UnusableArgument, match="create needs a session"),
    ):
        client.create("x")


def test_numbers_come_back_as_they_were_sent():
    content = {"big": 2**70, "small": -(2**65), "pi": 3.141592653589793, "list": [1, None, True]}

    def echo(router, incoming):
        router.succeed(incoming, {**MEMORY, "content": incoming.payload["content"]})

    with ScriptedRouter(echo) as router, connected(router) as client:
        call = c.Call("create", c.Memory, {"content": content}, {})
        assert client.perform(call).content == content


def test_two_requests_of_one_id_do_not_mix():
    with (
        ScriptedRouter(keep_silent) as router,
        ThreadPoolExecutor(1) as threads,
        connected(router) as client,
    ):
        first = threads.submit(client.create, "x", request_id="r-1")
        router.wait_for(1)
        with pytest.raises(c.UnusableArgument, match="r-1"):
            client.create("y", request_id="r-1")
        client.close()
        assert isinstance(first.exception(5), c.ClientClosed)


def test_a_cancelled_call_can_be_made_again_with_its_id():
    """The documented retry: the same request is the same change."""

    async def call_again(router):
        async with AsyncClient(router.endpoint, session_id="s") as client:
            cancelled = asyncio.ensure_future(client.create("x", request_id="r-1"))
            await asyncio.to_thread(router.wait_for, 1)
            cancelled.cancel()
            await asyncio.gather(cancelled, return_exceptions=True)
            return await client.create("x", request_id="r-1")

    def lose_the_first(router, incoming):
        if len(router.received) > 1:
            answer(router, incoming)

    with ScriptedRouter(lose_the_first) as router:
        assert asyncio.run(call_again(router)).memory_id == "r-1"


def test_too_many_in_flight_is_an_error_at_once():
    async def overfill(router):
        async with AsyncClient(router.endpoint, session_id="s", max_in_flight=3) as client:
            waiting = [asyncio.ensure_future(client.create("x")) for _ in range(3)]
            await asyncio.sleep(0)
            with pytest.raises(c.ClientBusy):
                await client.create("x")
            for each in waiting:
                each.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)

    with ScriptedRouter(keep_silent) as router:
        asyncio.run(overfill(router))


def test_tasks_share_an_async_client():
    async def create_many(router):
        async with AsyncClient(router.endpoint, session_id="s") as client:
            calls = (client.create("x", request_id=f"r-{n}") for n in range(300))
            return [stored.memory_id for stored in await asyncio.gather(*calls)]

    with ScriptedRouter(answer) as router:
        assert asyncio.run(create_many(router)) == [f"r-{n}" for n in range(300)]


def test_a_cancelled_call_is_not_sent_again():
    async def cancel_one(router):
        async with AsyncClient(router.endpoint, session_id="s", resend_seconds=0.05) as client:
            cancelled = asyncio.ensure_future(client.create("x", request_id="cancelled"))
            await asyncio.to_thread(router.wait_for, 1)
            cancelled.cancel()
            # Once this one was sent five times, the cancelled one had its chances.
            lost = asyncio.ensure_future(client.create("x", request_id="lost"))
            while sum(each.request_id == "lost" for each in router.received) < 5:
                await asyncio.to_thread(router.wait_for, len(router.received) + 1)
            lost.cancel()
            await asyncio.gather(cancelled, lost, return_exceptions=True)

    with ScriptedRouter(keep_silent) as router:
        asyncio.run(cancel_one(router))
        assert sum(incoming.request_id == "cancelled" for incoming in router.received) <= 2


def client_threads():
    return [thread for thread in threading.enumerate() if thread.name == "orchestrator-client"]


def open_files():
    return list(Path("/proc/self/fd").iterdir())


def test_a_closed_client_leaves_nothing_behind_and_refuses_work():
    with ScriptedRouter(answer) as router:
        with connected(router) as client:
            client.create("x")
        threads, files = len(client_threads()), len(open_files())
        for _ in range(20):
            with connected(router) as client:
                client.create("x")
        client.close()
        assert len(client_threads()) == threads
        assert len(open_files()) <= files + 1  # the router's side of the last connection
        with pytest.raises(c.ClientClosed):
            client.create("x")


def test_closing_ends_the_calls_that_wait():
    with ScriptedRouter(keep_silent) as router, ThreadPoolExecutor(1) as threads:
        client = connected(router)
        waiting = threads.submit(client.create, "x")
        router.wait_for(1)
        client.close()
        assert isinstance(waiting.exception(5), c.ClientClosed)


def test_a_forgotten_client_is_freed():
    with ScriptedRouter(answer) as router:
        before = len(client_threads())
        client = connected(router)
        client.create("x")
        del client
        gc.collect()
        assert len(client_threads()) == before


def test_an_endpoint_that_is_none_is_refused():
    with pytest.raises(c.UnusableArgument, match="localhost:5570"):
        Client("localhost:5570")


FORKING = """
import os, sys
from zmqbridge.client import Client, ClientForked
with Client(sys.argv[1], session_id="s") as client:
    client.create("x")
    child = os.fork()
    if child == 0:
        try:
            client.create("x")
        except ClientForked as error:
            client.close()
            with Client(sys.argv[1], session_id="s") as own:
                own.create("x")
            print(error, flush=True)
            sys.exit(7)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    client.create("x")
    print("the parent goes on")
"""


def test_a_forked_client_says_so_and_the_parent_goes_on():
    with ScriptedRouter(answer) as router:
        done = subprocess.run(
            [sys.executable, "-c", FORKING, router.endpoint],
            capture_output=True,
            text=True,
            timeout=30,
        )
    assert done.returncode == 0, done.stderr
    assert "make one here" in done.stdout
    assert "the parent goes on" in done.stdout


def test_a_script_that_never_closes_ends():
    with ScriptedRouter(answer) as router:
        script = (
            "import sys; from zmqbridge.client import Client;"
            "print(Client(sys.argv[1], session_id='s').create('x').memory_id and 'done')"
        )
        done = subprocess.run(
            [sys.executable, "-c", script, router.endpoint],
            capture_output=True,
            text=True,
            timeout=30,
        )
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "done", "")
