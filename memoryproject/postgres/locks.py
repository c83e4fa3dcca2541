"""Advisory file locks (flock): the kernel frees them however their holder dies."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def open_lock_file(path: Path) -> int:
    """A descriptor that closes on exec, so that no spawned program keeps the lock."""
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def lock_shared(descriptor: int) -> None:
    fcntl.flock(descriptor, fcntl.LOCK_SH)


def lock_exclusively(descriptor: int) -> None:
    fcntl.flock(descriptor, fcntl.LOCK_EX)


def try_to_lock_exclusively(descriptor: int) -> bool:
    return _try_to_lock(descriptor, fcntl.LOCK_EX)


def try_to_lock_shared(descriptor: int) -> bool:
    return _try_to_lock(descriptor, fcntl.LOCK_SH)


def _try_to_lock(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def unlock(descriptor: int) -> None:
    fcntl.flock(descriptor, fcntl.LOCK_UN)


def unlock_and_close(descriptor: int) -> None:
    """Closing alone would leave the lock to a process that was forked meanwhile."""
    unlock(descriptor)
    os.close(descriptor)


@contextmanager
def locked_exclusively(path: Path) -> Iterator[int]:
    descriptor = open_lock_file(path)
    try:
        lock_exclusively(descriptor)
        yield descriptor
    finally:
        unlock_and_close(descriptor)


def is_locked_exclusively(path: Path) -> bool:
    """Whether some process holds the lock; False where there is no such file."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    else:
        return False
    finally:
        unlock_and_close(descriptor)


def wait_until_unlocked(path: Path) -> None:
    descriptor = open_lock_file(path)
    try:
        lock_shared(descriptor)
    finally:
        unlock_and_close(descriptor)


def is_same_file(descriptor: int, path: Path) -> bool:
    """Whether the open file still stands at `path`: a removed directory takes its locks along."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except OSError:
        return False
