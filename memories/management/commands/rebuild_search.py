"""`manage.py rebuild_search`: index the words of all memories in another language."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from memories.management.terminal import progress_bar
from memories.services.orchestrators import running_orchestrators
from memories.services.reindex import (
    count_memories,
    keep_language,
    kept_language,
    reindex_words,
)
from memories.services.words import known_languages

_BATCH = 500


class Command(BaseCommand):
    help = "Index the words of all memories in another language; may be stopped and repeated."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--language", required=True, help="as SEARCH_LANGUAGE will name it")
        parser.add_argument(
            "--force", action="store_true", help="even while an orchestrator is running"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        language: str = options["language"]
        if language not in (known := known_languages()):
            raise CommandError(f"The language is {language!r}; choose from {', '.join(known)}.")
        if not options["force"]:
            _refuse_while_running()
        try:
            count = _rebuild(language)
        except KeyboardInterrupt:
            raise CommandError(
                f"Stopped half-way: words are found badly until the same command has finished; "
                f"the language on record is still {kept_language()}."
            ) from None
        if not options["force"]:
            _refuse_while_running()
        keep_language(language)
        self.stdout.write(
            f"{count} memories are indexed in {language}. Set SEARCH_LANGUAGE={language} "
            "before the next start."
        )


def _rebuild(language: str) -> int:
    done = 0
    with progress_bar() as bar:
        task = bar.add_task(f"indexing in {language}", total=count_memories())
        last_id, count = reindex_words(language, "", _BATCH)
        while last_id:
            done += count
            bar.update(task, completed=done)
            last_id, count = reindex_words(language, last_id, _BATCH)
    return done


def _refuse_while_running() -> None:
    if running := running_orchestrators():
        raise CommandError(
            f"{', '.join(running)} still runs, and indexes what it stores in the old language: "
            "stop it first, or give --force and restart it with the new SEARCH_LANGUAGE."
        )
