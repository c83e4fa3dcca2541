"""Makes the cluster on first use and writes its configuration at each start. For the supervisor."""

import os
import secrets
import shutil
import subprocess
from pathlib import Path

from memoryproject.postgres.account import Account
from memoryproject.postgres.binaries import OTHERWISE, Binaries
from memoryproject.postgres.errors import ServerCannotRun, ServerDidNotStart
from memoryproject.postgres.files import flush_directory, flush_to_disk, write_owned
from memoryproject.postgres.layout import SUPERUSER, Layout
from memoryproject.postgres.logs import choose_log_settings
from memoryproject.postgres.tuning import choose_settings, measure_machine, render_settings

_TUNED_SETTINGS = "tuned.conf"
_INCLUDES = f"""
include = '{_TUNED_SETTINGS}'
include_if_exists = '../postgres.conf'
"""


def make_cluster(layout: Layout, account: Account, binaries: Binaries, server_lock: int) -> None:
    """Run initdb where there is no cluster yet. initdb inherits `server_lock`.

    A killed initdb leaves nothing half made: the cluster gets its name when it is complete.
    Raises ServerCannotRun for a user id that no account has, and ServerDidNotStart.
    """
    if layout.cluster.exists():
        return
    if not account.is_known:
        raise ServerCannotRun(
            f"PostgreSQL's initdb needs an account for user id {account.user_id} in /etc/passwd: "
            f"add one, or {OTHERWISE}."
        )
    shutil.rmtree(layout.new_cluster, ignore_errors=True)
    layout.new_cluster.mkdir(mode=0o700)
    account.take_over(layout.new_cluster)
    password = layout.run / "superuser.password"
    write_owned(password, secrets.token_urlsafe(32), account)
    _run_initdb(layout, account, binaries, password, server_lock)
    password.rename(layout.new_cluster / layout.password.name)
    with (layout.new_cluster / "postgresql.conf").open("ab") as configuration:
        configuration.write(_INCLUDES.encode())
        flush_to_disk(configuration)
    flush_directory(layout.new_cluster)
    layout.new_cluster.rename(layout.cluster)
    flush_directory(layout.data_dir)


def check_cluster(layout: Layout, server_version: int) -> None:
    """Raise ServerCannotRun where the cluster is not one of ours, or of another version."""
    try:
        version = int((layout.cluster / "PG_VERSION").read_text())
    except (OSError, ValueError) as error:
        raise ServerCannotRun(
            f"{layout.cluster} holds no PostgreSQL cluster: move it away, or restore a backup."
        ) from error
    if version != server_version:
        raise ServerCannotRun(
            f"The cluster in {layout.cluster} was made by PostgreSQL {version}, and the programs "
            f"are of version {server_version}: dump it with the old one and load it into a new one."
        )
    if not layout.password.exists():
        raise ServerCannotRun(
            f"The password of the cluster is missing ({layout.password}): restore it from a backup."
        )


def write_settings(layout: Layout, account: Account, more: dict[str, str]) -> None:
    settings = choose_settings(measure_machine(layout.data_dir)) | choose_log_settings(layout)
    settings |= more
    write_owned(layout.cluster / _TUNED_SETTINGS, render_settings(settings), account)


def _run_initdb(
    layout: Layout, account: Account, binaries: Binaries, password: Path, server_lock: int
) -> None:
    result = subprocess.run(
        [
            binaries.initdb,
            f"--pgdata={layout.new_cluster}",
            f"--username={SUPERUSER}",
            f"--pwfile={password}",
            "--encoding=UTF8",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            "--locale=C",
            "--auth-local=scram-sha-256",
            "--auth-host=scram-sha-256",
            "--data-checksums",
            "--no-instructions",
        ],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
        env=clean_environment(),
        pass_fds=(server_lock,),
        **account.popen_options(),
    )
    if result.returncode != 0:
        reason = result.stderr.strip() or f"exit status {result.returncode}"
        raise ServerDidNotStart(f"PostgreSQL's initdb failed in {layout.data_dir}: {reason}")


def clean_environment() -> dict[str, str]:
    """No PGDATA, PGPORT or locale of the caller's shell reaches the server."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}
