"""`manage.py export_owner`: everything of a user, for the user and for `import_memories`."""

from argparse import ArgumentParser
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from memories.exports.errors import ExportError
from memories.exports.files import make_folder, stem_of, whole_files
from memories.exports.page import write_page
from memories.exports.snapshot import one_moment
from memories.exports.writing import count_given_vectors, count_rows, write_lines
from memories.management.failures import told_in_one_sentence
from memories.management.owner_arguments import add_owner_arguments, read_owner
from memories.management.terminal import progress_bar
from memories.services.named_owner import Owner


class Command(BaseCommand):
    help = (
        "Write everything of a user, what is deleted but not yet purged included, as JSON lines "
        "that import_memories brings back, and as a page to be read."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_owner_arguments(parser)
        parser.add_argument(
            "--output", type=Path, metavar="DIR", help="where to (default: DATA_DIR/exports)"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        folder: Path = options["output"] or settings.DATA_DIR / "exports"
        try:
            with told_in_one_sentence("Nothing half done is left."):
                owner = read_owner(options)
                make_folder(folder)
                self._export(owner, folder)
        except ExportError as error:
            raise CommandError(str(error)) from error

    def _export(self, owner: Owner, folder: Path) -> None:
        stem = stem_of(owner.name, datetime.now(UTC))
        lines, page = folder / f"{stem}.jsonl", folder / f"{stem}.html"
        with whole_files(lines, page) as (lines_file, page_file), one_moment():
            counts = count_rows(owner)
            with progress_bar() as bar:
                task = bar.add_task("exporting", total=sum(counts.values()))
                end = write_lines(owner, counts, lines_file, lambda: bar.advance(task))
            write_page(owner, counts, page_file)
            given = count_given_vectors(owner)
        if given:
            self.stderr.write(
                f"{given} vectors that clients gave are not in it, and cannot be made again: keep "
                "a backup, or what they were made from."
            )
        told = ", ".join(f"{count} {kind}" for kind, count in counts.items())
        self.stdout.write(f"{lines}\n{page}\n{told}; checksum of the rows {end.sha256}")
