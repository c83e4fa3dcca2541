"""How much this process has used its embedders, for the metrics. Noted where texts are embedded."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from threading import Lock

from memories.embedders.errors import NeverEmbeds


class Kind(StrEnum):
    QUERY = "query"
    DOCUMENT = "document"


@dataclass(slots=True)
class Use:
    """Calls of a model: how many texts they embedded, how long they took, how many failed."""

    texts: int = 0
    seconds: float = 0.0
    failures: int = 0


_uses = {kind: Use() for kind in Kind}
_lock = Lock()


@contextmanager
def noting_use(kind: Kind, texts: int) -> Iterator[None]:
    began = time.monotonic()
    try:
        yield
    except NeverEmbeds:  # clients bring the vectors: nothing was tried
        raise
    except BaseException:  # whatever a model's library raises; it goes on to the caller
        _note(kind, 0, time.monotonic() - began, failed=True)
        raise
    _note(kind, texts, time.monotonic() - began, failed=False)


def uses() -> dict[Kind, Use]:
    with _lock:
        return {kind: replace(use) for kind, use in _uses.items()}


def _note(kind: Kind, texts: int, seconds: float, *, failed: bool) -> None:
    with _lock:
        use = _uses[kind]
        use.texts += texts
        use.seconds += seconds
        use.failures += failed
