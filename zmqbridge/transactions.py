"""Carry out a batch of changes: one transaction, cut into runs, with the poison singled out.

`answer` calls it with tasks in the order of their arrival. Everything that changes can be repeated
(ids are made from the request, answers are kept by its key), so whatever went wrong on the way to
the database is looked into by doing it again.
"""

import logging
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from itertools import groupby
from typing import Any

import msgspec
from django.db import DatabaseError, transaction

from memories.errors import MemoriesError, StorageFailed, ValidationFailed
from memories.locks import LockBound
from memories.services.requests import KeyedRequest, answers_before, keep_answers
from memories.services.sessions import forget_owners
from zmqbridge.handlers import Ask, Changed, Handler
from zmqbridge.handlers.base import EVERYTHING
from zmqbridge.patience import STATEMENT_FAILED, Patience, is_lost, is_repeatable, sqlstate_of

logger = logging.getLogger(__name__)

MAX_REPEATS = 5

_DATA = ("22", "54")  # what a value of the payload is to blame for
_KEY_TAKEN = "23505"
_HELD = "55P03"


class Task(msgspec.Struct, frozen=True):
    """An ask that is ready to be served. `key`: 16 bytes, or b"" where its answer is not kept."""

    ask: Ask
    handler: Handler
    item: Any
    key: bytes = b""


def carry_out(
    tasks: Sequence[Task], patience: Patience, locks: LockBound | None = None
) -> list[Any]:
    """A result or an error for each task; what succeeded is committed when this returns."""
    careful = False
    in_doubt = False
    for _ in range(MAX_REPEATS):
        alone = not careful and _is_one_statement(tasks)
        finished = False
        try:
            if locks:
                locks.bound()
            with nullcontext() if alone else transaction.atomic():
                if locks and careful:
                    locks.shorten()
                # Creates touch nothing that exists: there is nothing to cut into runs.
                results = _serve_group(tasks) if alone else _serve_runs(tasks, careful)
                finished = True
            return results
        except STATEMENT_FAILED as error:
            if is_lost(error):
                in_doubt = in_doubt or alone or finished
                if not patience.reconnect(error):
                    return [_unreachable(in_doubt)] * len(tasks)
            elif not is_repeatable(error):
                forget_owners()  # a remembered session may have been erased
                careful = True
    logger.error("The database kept refusing a batch of %d changes.", len(tasks))
    return [_unreachable(in_doubt) if in_doubt else StorageFailed()] * len(tasks)


def _serve_runs(tasks: Sequence[Task], careful: bool) -> list[Any]:
    serve = _serve_narrowing if careful else _serve_group
    results: dict[int, Any] = {}
    for run in _runs(tasks):
        for group in _by_action(run, tasks):
            served = serve([tasks[place] for place in group])
            results |= dict(zip(group, served, strict=True))
    return [results[place] for place in range(len(tasks))]


def _runs(tasks: Sequence[Task]) -> Iterator[list[int]]:
    """Places of tasks, cut so that within a run nothing is touched that another task touches or
    uses: one statement over a set that names a row twice would apply only one of them."""
    run: list[int] = []
    touched: set[str] = set()
    used: set[str] = set()
    for place, task in enumerate(tasks):
        touches, uses = set(task.handler.touches(task.item)), set(task.handler.uses(task.item))
        meets = touches & (touched | used) or uses & touched
        if run and (meets or EVERYTHING in touches | touched):
            yield run
            run, touched, used = [], set(), set()
        run.append(place)
        touched |= touches
        used |= uses
    if run:
        yield run


def _by_action(run: Sequence[int], tasks: Sequence[Task]) -> list[list[int]]:
    def action(place: int) -> str:
        return tasks[place].ask.request.action

    return [list(group) for _, group in groupby(sorted(run, key=action), key=action)]


def _serve_group(tasks: Sequence[Task]) -> list[Any]:
    handler = tasks[0].handler
    if not handler.keyed:
        return list(handler.serve([task.item for task in tasks]))
    before = answers_before([_keyed(task) for task in tasks])
    fresh = [task for task in tasks if task.key not in before]
    served = list(handler.serve([task.item for task in fresh])) if fresh else []
    results = {task.key: result for task, result in zip(fresh, served, strict=True)}
    if failed := [task for task in fresh if isinstance(results[task.key], MemoriesError)]:
        # Another orchestrator may have carried it out while this one waited for the row.
        before |= answers_before([_keyed(task) for task in failed])
    keep_answers(
        {
            _keyed(task): _data(results[task.key])
            for task in fresh
            if not isinstance(results[task.key], MemoriesError)
        },
        at=tasks[0].ask.request.received_at,
    )
    return [
        msgspec.Raw(before[task.key]) if task.key in before else results[task.key] for task in tasks
    ]


def _serve_narrowing(tasks: Sequence[Task]) -> list[Any]:
    """Each half by itself, down to the task that the database refuses."""
    try:
        with transaction.atomic():
            return _serve_group(tasks)
    except DatabaseError as error:
        if is_lost(error) or is_repeatable(error):
            raise
        if len(tasks) == 1:
            return [_made_meanwhile(tasks[0], error) or _refused(error)]
    half = len(tasks) // 2
    return _serve_narrowing(tasks[:half]) + _serve_narrowing(tasks[half:])


def _made_meanwhile(task: Task, error: DatabaseError) -> Any:
    """The answer that another orchestrator has just kept under this task's key, if that is it."""
    if sqlstate_of(error) != _KEY_TAKEN or not task.key:
        return None
    answers = answers_before([_keyed(task)])
    return msgspec.Raw(answers[task.key]) if answers else None


def _is_one_statement(tasks: Sequence[Task]) -> bool:
    """A batch of creates alone is one statement, and so its own transaction: two round trips of
    BEGIN and COMMIT are a fifth of what a single create takes."""
    return all(task.handler is tasks[0].handler for task in tasks) and tasks[0].handler.atomic


def _refused(error: DatabaseError) -> MemoriesError:
    logger.info("The database refused a change: %s", error)
    if sqlstate_of(error).startswith(_DATA):
        return ValidationFailed("payload", "The database cannot keep a value of this payload.")
    if sqlstate_of(error) == _HELD:
        return StorageFailed(
            "Another change holds what this one needs, and takes long; "
            "nothing of the request was stored."
        )
    return StorageFailed()


def _unreachable(in_doubt: bool) -> StorageFailed:
    if in_doubt:
        return StorageFailed(
            "The connection to the database died in the commit: send the same request again.",
            outcome="unknown",
        )
    return StorageFailed("The database cannot be reached; nothing of the request was stored.")


def _keyed(task: Task) -> KeyedRequest:
    return KeyedRequest(task.key, task.ask.request.session_id)


def _data(result: Any) -> Any:
    return result.data if isinstance(result, Changed) else result
