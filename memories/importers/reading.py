"""Batches of rows, read by a thread of their own while the database works on those before."""

from collections.abc import Generator, Iterable, Iterator
from queue import Full, Queue
from threading import Event, Thread
from typing import TypeVar

T = TypeVar("T")

_BATCHES_AHEAD = 2
_LOOK_SECONDS = 0.2


class _Ended:
    def __init__(self, error: BaseException | None) -> None:
        self.error = error


def read_ahead(
    items: Iterable[T], rows: int = 1000, weight_bytes: int = 4 << 20
) -> Generator[list[T], None, None]:
    """Lists of so many items at most, shorter where their content is large."""
    queue: Queue[list[T] | _Ended] = Queue(_BATCHES_AHEAD)
    stop = Event()
    thread = Thread(
        target=_fill,
        args=(queue, batches_of(items, rows, weight_bytes), stop),
        name="import-reader",
    )
    thread.start()
    try:
        while not isinstance(batch := queue.get(), _Ended):
            yield batch
        if batch.error is not None:
            raise batch.error
    finally:
        stop.set()
        thread.join()


def batches_of(items: Iterable[T], rows: int, weight_bytes: int) -> Iterator[list[T]]:
    batch: list[T] = []
    weight = 0
    for item in items:
        batch.append(item)
        weight += len(getattr(item, "content_json", b""))
        if len(batch) == rows or weight >= weight_bytes:
            yield batch
            batch, weight = [], 0
    if batch:
        yield batch


def _fill(queue: Queue[list[T] | _Ended], batches: Iterator[list[T]], stop: Event) -> None:
    error: BaseException | None = None
    try:
        for batch in batches:
            _put(queue, batch, stop)
            if stop.is_set():
                return
    except BaseException as caught:  # raised again by the thread that takes the batches
        error = caught
    _put(queue, _Ended(error), stop)


def _put(queue: Queue[list[T] | _Ended], batch: list[T] | _Ended, stop: Event) -> None:
    while not stop.is_set():
        try:
            queue.put(batch, timeout=_LOOK_SECONDS)
        except Full:
            continue
        return
