"""Fills a database from a dump and compares it with the manifest."""

import subprocess
import tempfile
from pathlib import Path
from typing import Any

from memories.backups.content import list_differences, measure_content
from memories.backups.dumping import last_words
from memories.backups.errors import BackupError
from memories.backups.manifest import Manifest
from memories.backups.sealing import read_identities, unseal
from memories.backups.server import Server
from memories.backups.streams import CountedReader, Tell


def identities_for(manifest: Manifest, key_file: Path | None) -> list[Any]:
    """The keys that open the dump; none where it is not encrypted."""
    if not manifest.encrypted:
        return []
    if key_file is None:
        raise BackupError("The backup is encrypted: give its key with --key-file.")
    return read_identities(key_file)


def fill_database(
    server: Server, database: str, dump: Path, identities: list[Any], tell: Tell
) -> None:
    """Raises BackupError where the dump does not go in whole."""
    command = server.command("pg_restore", database)
    command += ["--exit-on-error", "--no-owner", "--no-privileges"]
    with (
        tempfile.TemporaryFile() as errors,
        dump.open("rb") as file,
        subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            env=server.environment(),
        ) as process,
    ):
        try:
            _feed(process, CountedReader(file, tell), identities)
        except BaseException:
            process.kill()
            raise
        if process.wait() != 0:
            raise BackupError(f"{dump} cannot be restored: {last_words(errors)}")


def _feed(process: "subprocess.Popen[bytes]", reader: CountedReader, identities: list[Any]) -> None:
    assert process.stdin is not None
    try:
        unseal(reader, process.stdin, identities)
        process.stdin.close()
    except BrokenPipeError:  # it ended early: what it said tells why
        pass


def compare_content(server: Server, database: str, manifest: Manifest) -> None:
    """Raises BackupError where the database does not hold what the manifest says."""
    with server.connect(database) as connection:
        # Also what the planner knows, without which the first searches would be slow.
        connection.execute("ANALYZE")
        found = measure_content(connection)
    if differences := list_differences(manifest.content, found):
        raise BackupError(f"What was restored is not what was backed up: {differences[0]}.")
