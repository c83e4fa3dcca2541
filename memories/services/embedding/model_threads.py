"""The threads in which a model works where somebody waits for it no longer than a bound."""

from collections.abc import Callable
from concurrent.futures import Executor, Future
from functools import partial
from queue import SimpleQueue
from threading import Lock, Thread
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


class DaemonThreads(Executor):
    """So many at most, started when first needed. Unlike those of a ThreadPoolExecutor they hold
    up no exit: a stop would take as long as an endpoint that hangs."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._waiting: SimpleQueue[tuple[Future[Any], Callable[[], Any]]] = SimpleQueue()
        self._lock = Lock()

    def submit(self, work: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Future[R]:
        made: Future[R] = Future()
        self._waiting.put((made, partial(work, *args, **kwargs)))
        with self._lock:
            for _ in range(self._count):
                Thread(target=self._work, name="model", daemon=True).start()
            self._count = 0
        return made

    def _work(self) -> None:
        while True:
            _carry_out(*self._waiting.get())


def _carry_out(made: Future[Any], work: Callable[[], Any]) -> None:
    if not made.set_running_or_notify_cancel():
        return
    try:
        result = work()
    except BaseException as error:  # the boundary of a thread: who waits for it is told
        made.set_exception(error)
    else:
        made.set_result(result)


# What is given up waiting for goes on in its thread; so many may hang before searches feel it.
_threads: Executor = DaemonThreads(8)


def in_model_thread(work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> Future[R]:
    return _threads.submit(work, *args, **kwargs)
