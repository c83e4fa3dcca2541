"""Checks of what goes on by itself: backups, vectors, orchestrators."""

from collections.abc import Iterator
from pathlib import Path

from django.conf import settings
from django.utils.timesince import timesince

from memories.changes import rows
from memories.doctor.findings import Finding, broken, warning, well
from memories.models import EmbeddingModel
from memories.services.backups import BackupSeen, see_backups, this_host
from memories.services.clocks import NOTICED_SKEW_SECONDS, SKEW_ADVICE, describe_skew
from memories.services.embedding.fill_estimate import look_at_fill
from memories.services.embedding.models import active_model
from memories.services.health import is_late, is_old, newest_backup
from memories.services.orchestrators import running_orchestrators, silent_orchestrators
from memories.services.overview import look_at_queue


def look_at_backups() -> Iterator[Finding]:
    seen = see_backups()
    if seen.failure:
        yield warning(
            f"The last try to back up failed, at {seen.failure.at:%Y-%m-%d %H:%M} UTC on "
            f"{seen.failure.host}: {seen.failure.reason.rstrip('.')}.",
            "Mend what it names, then run `python manage.py backup`.",
        )
    last = newest_backup(seen)
    if last is None:
        yield warning(
            "No good backup is known.",
            "Set BACKUP_SCHEDULE, or run `python manage.py backup`; docs/backups.md tells more.",
        )
    else:
        yield _judge_backup(last)


def look_at_embeddings() -> Iterator[Finding]:
    if settings.EMBEDDER == "none":
        yield well("EMBEDDER is none: what is found is found by its words.")
        return
    active = active_model()
    if active is None:
        yield warning(
            "No embedding model is active: nothing is found by its meaning.",
            "Start an orchestrator, or see `python manage.py embedding_models list`.",
        )
    queue = look_at_queue()
    if queue.set_aside:
        yield warning(
            f"{queue.set_aside} memories could not be embedded and are set aside.",
            "`python manage.py embedding_models list` tells why, and with --retry-failed tries "
            "them again.",
        )
    if queue.embedder_error:
        yield warning(
            f"The embedder fails: {queue.embedder_error.rstrip('.')}.",
            "Mend what it names; the memories wait, and nothing is lost.",
        )
    if is_late(queue):
        yield warning(
            f"Vectors are {queue.oldest_seconds:.0f} s late; {queue.waiting} wait.",
            "See that an orchestrator runs; raise EMBEDDER_THREADS where it cannot keep up.",
        )
    unqueued = _count_unqueued(active) if active else 0
    if unqueued:
        yield warning(
            f"{unqueued} memories have no vector of {active} yet and do not wait for one either: "
            "they are found by their words alone.",
            "A running orchestrator sees to it in the background; "
            "`python manage.py embedding_models list` tells how far it is.",
        )
    elif active and not (queue.set_aside or queue.embedder_error):
        yield well(f"{active.name} serves; {queue.waiting} memories wait for their vector.")


def _count_unqueued(model: EmbeddingModel) -> int:
    """0 where it makes none, or where they are too many to be counted in passing."""
    if model.kind == "given":
        return 0
    fill = look_at_fill(model)
    unqueued = fill.memories - fill.vectors - fill.waiting - fill.set_aside
    return 0 if fill.is_estimate else max(0, unqueued)


def look_at_orchestrators() -> Iterator[Finding]:
    alive = running_orchestrators()
    if alive:
        yield well(f"{len(alive)} alive: {', '.join(alive)}.")
    else:
        yield warning(
            "No orchestrator runs on this database.",
            "Start one: `python manage.py run_orchestrator`.",
        )
    for instance in silent_orchestrators():
        yield warning(
            f"The orchestrator {instance} fell silent without a word.",
            "Look at its log: it was killed, hangs, or has lost the database.",
        )
    for instance, seconds in _orchestrators_with_another_time(alive):
        yield warning(f"{describe_skew(seconds, f'that of {instance}')}.", SKEW_ADVICE)


def _judge_backup(last: BackupSeen) -> Finding:
    age = timesince(last.made_at, depth=1).replace("\xa0", " ")
    if last.host == this_host() and not Path(last.path).exists():
        return broken(
            f"The last good backup, {last.path}, is gone.",
            "Bring it back, or run `python manage.py backup` now.",
        )
    if is_old(last):
        return warning(
            f"The last good backup is {age} old.",
            "Set BACKUP_SCHEDULE, or see why what runs `python manage.py backup` does not.",
        )
    verified = "was restored and compared" if last.verified_at else "was not verified"
    return well(f"The last good backup is {age} old and {verified}.")


def _orchestrators_with_another_time(alive: list[str]) -> list[tuple[str, float]]:
    """By how much the database's clock is ahead of theirs, as they measure it."""
    found = rows(
        """
        SELECT instance, (stats->>'clock_skew_seconds')::float FROM orchestrators
        WHERE instance = ANY(%s) AND abs((stats->>'clock_skew_seconds')::float) > %s
        ORDER BY instance""",
        [alive, NOTICED_SKEW_SECONDS],
    )
    return [(instance, seconds) for instance, seconds in found]
