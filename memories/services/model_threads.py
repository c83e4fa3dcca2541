"""The threads in which a model works where somebody waits for it no longer than a bound."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

# What is given up waiting for goes on in its thread; so many may hang before searches feel it.
_threads = ThreadPoolExecutor(max_workers=8, thread_name_prefix="model")


def in_model_thread(work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> Future[R]:
    return _threads.submit(work, *args, **kwargs)
