"""Requests in, replies out: decode, group, call, encode. Called by the lanes; owns no socket.

Every request gets exactly one reply, whatever happens. What an error of the core is on the wire
is decided here, and only here.
"""

import logging
import secrets
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import msgspec
from django.db import DatabaseError

from memories.errors import MemoriesError, StorageFailed
from memories.locks import LockBound
from memories.services.fetch import Fetched
from zmqbridge.accesses import Accesses
from zmqbridge.cache import Mark, ReadCache
from zmqbridge.handlers import HANDLERS, Ask, Changed
from zmqbridge.handlers.base import EVERYTHING, About
from zmqbridge.patience import STATEMENT_FAILED, Patience
from zmqbridge.protocol import (
    Code,
    Request,
    WireError,
    encode_error,
    encode_success,
    read_payload,
    request_key,
)
from zmqbridge.transactions import Task, carry_out

logger = logging.getLogger(__name__)

_DECODERS = {action: msgspec.json.Decoder(handler.payload) for action, handler in HANDLERS.items()}


class Prepared(msgspec.Struct, frozen=True):
    """A request, and the task that was made of it, or what is wrong with it."""

    request: Request
    task: Task | Exception


class Answerer:
    """`report` gives what this orchestrator tells of itself in `stats`."""

    def __init__(
        self,
        cache: ReadCache,
        accesses: Accesses,
        patience: Patience,
        report: Callable[[], dict[str, Any]] = dict,
    ) -> None:
        self._cache = cache
        self._accesses = accesses
        self._patience = patience
        self._report = report

    def prepare(self, request: Request) -> Prepared:
        """What can be done of a request without the database; never raises."""
        return Prepared(request, self._task(request))

    def answer(
        self, asked: Sequence[Request | Prepared], locks: LockBound | None = None
    ) -> list[bytes]:
        """A reply for each request, in their order; changes are committed when it returns. `locks`
        bounds how long they wait for others'."""
        prepared = [one if isinstance(one, Prepared) else self.prepare(one) for one in asked]
        tasks = [
            (place, one.task) for place, one in enumerate(prepared) if isinstance(one.task, Task)
        ]
        results: dict[int, Any] = {
            place: one.task for place, one in enumerate(prepared) if not isinstance(one.task, Task)
        }
        for serve, places in self._groups(tasks, locks):
            served = self._guarded(serve, [prepared[place].task for place in places])
            results |= dict(zip(places, served, strict=True))
        return [self._encode(one.request, results[place]) for place, one in enumerate(prepared)]

    def _task(self, request: Request) -> Task | Exception:
        handler = HANDLERS.get(request.action)
        if handler is None:
            return unknown_action(request.action)
        try:
            ask = Ask(request, read_payload(request, _DECODERS[request.action]))
            key = request_key(request) if handler.keyed else b""
            return Task(ask, handler, handler.prepare(ask), key)
        except (WireError, MemoriesError) as error:
            return error
        except Exception as error:  # a fault of ours must not cost the batch its replies
            return self._fault(error, request)

    def _groups(
        self, tasks: Sequence[tuple[int, Task]], locks: LockBound | None
    ) -> Iterable[tuple[Callable[[Sequence[Task]], Sequence[Any]], list[int]]]:
        """All changes together, in their order; reads by action."""
        changes = [place for place, task in tasks if task.handler.changes]
        if changes:
            yield partial(self._change, locks=locks), changes
        reads: dict[str, list[int]] = {}
        for place, task in tasks:
            if not task.handler.changes:
                reads.setdefault(task.ask.request.action, []).append(place)
        for places in reads.values():
            yield self._read, places

    def _guarded(
        self, serve: Callable[[Sequence[Task]], Sequence[Any]], tasks: Sequence[Any]
    ) -> Sequence[Any]:
        if self._patience.away:
            return [StorageFailed("The database cannot be reached.")] * len(tasks)
        try:
            return serve(tasks)
        except Exception as error:  # the boundary of a batch: one fault answers only its own task
            if len(tasks) == 1:
                known = isinstance(error, MemoriesError)
                return [error if known else self._fault(error, tasks[0].ask.request)]
            return [self._guarded(serve, [task])[0] for task in tasks]

    def _change(self, tasks: Sequence[Task], locks: LockBound | None) -> Sequence[Any]:
        results = carry_out(tasks, self._patience, locks)
        for task, result in zip(tasks, results, strict=True):
            if isinstance(result, Changed):
                self._cache.forget(result.memory_ids)
                # Bulk changes can be a million, and are in the revisions, each with its operation.
                if EVERYTHING not in task.handler.touches(task.item):
                    self._note(task, About(result.memory_ids))
            elif isinstance(result, msgspec.Raw):
                # Made before, perhaps elsewhere a moment ago, and not heard of here yet.
                self._forget_all_of(task)
            else:
                self._note_result(task, result)
        return results

    def _forget_all_of(self, task: Task) -> None:
        touched = list(task.handler.touches(task.item))
        if EVERYTHING in touched:
            self._cache.forget_all()
        else:
            self._cache.forget(touched)

    def _read(self, tasks: Sequence[Task]) -> Sequence[Any]:
        mark = self._cache.mark()
        try:
            results = tasks[0].handler.serve([task.item for task in tasks])
        except STATEMENT_FAILED as error:
            if not self._patience.reconnect(error):
                return [StorageFailed("The database cannot be reached.")] * len(tasks)
            results = tasks[0].handler.serve([task.item for task in tasks])
        for task, result in zip(tasks, results, strict=True):
            self._note_result(task, result)
        return [self._filled(mark, result) for result in results]

    def _filled(self, mark: Mark, result: Any) -> Any:
        if not isinstance(result, Fetched):
            return result
        body = msgspec.json.encode(result.memory)
        self._cache.fill(mark, result.memory.memory_id, body, result.expires_in_seconds)
        return msgspec.Raw(body)

    def _note_result(self, task: Task, result: Any) -> None:
        if not isinstance(result, Exception):
            self._note(task, task.handler.about(task.ask, result))

    def _note(self, task: Task, about: About) -> None:
        action, agent_id = task.ask.request.action, task.ask.payload.acting_agent
        if about.memory_ids:
            self._accesses.note(action, agent_id, about.memory_ids)
        elif about.session_id or about.user_id:
            self._accesses.note_about(action, agent_id, about.session_id, about.user_id)

    def _encode(self, request: Request, result: Any) -> bytes:
        if isinstance(result, Exception):
            return encode_error(request.action, request.request_id, wire_error(result))
        data = result.data if isinstance(result, Changed) else result
        if request.action == "stats":
            data = data | self._report()
        return encode_success(request.action, request.request_id, data)

    def _fault(self, error: Exception, request: Request) -> WireError:
        reference = secrets.token_hex(6)
        told = {"reference": reference, "action": request.action, "request_id": request.request_id}
        logger.error("Fault %s in %s", reference, request.action, exc_info=error, extra=told)
        refused = isinstance(error, DatabaseError)
        what = "The database refused this" if refused else "Something went wrong"
        return WireError(
            Code.STORAGE_ERROR if refused else Code.INTERNAL_ERROR,
            f"{what}; the orchestrator's log says more under {reference}.",
            reference=reference,
        )


def wire_error(error: Exception) -> WireError:
    """What an error is for the peer."""
    if isinstance(error, WireError):
        return error
    if isinstance(error, MemoriesError):
        return WireError(Code(error.code), error.message, **error.details)
    return WireError(Code.INTERNAL_ERROR, "Something went wrong in the orchestrator.")


def unknown_action(action: str) -> WireError:
    known = ", ".join(sorted(HANDLERS))
    return WireError(
        Code.INVALID_REQUEST, f"There is no action {action[:64]!r}; known are {known}."
    )
