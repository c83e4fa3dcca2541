"""The system account that runs the server: our own, or, since PostgreSQL refuses root, another."""

import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from memoryproject.postgres.binaries import OTHERWISE, Binaries
from memoryproject.postgres.errors import ServerCannotRun

_SYSTEM_ACCOUNT = "memories-postgres"


@dataclass(frozen=True, slots=True)
class Account:
    """Who runs the server. `is_other` where root hands over to somebody else."""

    name: str
    user_id: int
    group_id: int
    is_other: bool
    is_known: bool  # has an entry in /etc/passwd

    def popen_options(self) -> dict[str, Any]:
        """Arguments of subprocess that make a program run as this account."""
        if not self.is_other:
            return {}
        return {"user": self.user_id, "group": self.group_id, "extra_groups": []}

    def take_over(self, path: Path) -> None:
        """Make the account own `path`, so that its server may write there."""
        if self.is_other:
            os.chown(path, self.user_id, self.group_id, follow_symlinks=False)


def choose_account(cluster: Path) -> Account:
    """Our own account; for root the owner of the cluster, or of the directory it will lie in.

    Where root owns that too: an account of our own, made if possible, else postgres or nobody.
    """
    if os.geteuid() != 0:
        return _describe(os.geteuid(), os.getegid(), is_other=False)
    if cluster.exists():
        owner = cluster.stat()  # known or not: PostgreSQL accepts nobody else
        return _describe(owner.st_uid, owner.st_gid, is_other=True)
    owner = cluster.parent.stat()
    account = _describe(owner.st_uid, owner.st_gid, is_other=True)
    return account if account.is_known and account.user_id != 0 else _choose_system_account()


def _choose_system_account() -> Account:
    if (useradd := shutil.which("useradd")) and not _is_known(_SYSTEM_ACCOUNT):
        options = ["--system", "--user-group", "--no-create-home", "--shell", "/usr/sbin/nologin"]
        # A failure shows below: another process may have been quicker, or /etc is read-only.
        subprocess.run([useradd, *options, _SYSTEM_ACCOUNT], capture_output=True, check=False)
    for name in (_SYSTEM_ACCOUNT, "postgres", "nobody"):
        if _is_known(name):
            entry = pwd.getpwnam(name)
            return Account(name, entry.pw_uid, entry.pw_gid, is_other=True, is_known=True)
    raise ServerCannotRun(
        "PostgreSQL does not run as root, and this system has no account "
        f"{_SYSTEM_ACCOUNT}, postgres or nobody: add one, or {OTHERWISE}."
    )


def _is_known(name: str) -> bool:
    return any(entry.pw_name == name for entry in pwd.getpwall())


def _describe(user_id: int, group_id: int, *, is_other: bool) -> Account:
    try:
        name, is_known = pwd.getpwuid(user_id).pw_name, True
    except KeyError:
        name, is_known = str(user_id), False
    return Account(name, user_id, group_id, is_other, is_known)


def check_traversable(account: Account, directory: Path) -> None:
    """Raise ServerCannotRun where the account cannot reach `directory`."""
    if not account.is_other or _succeeds(account, ["/bin/sh", "-c", 'cd -- "$0"', str(directory)]):
        return
    for path in [*reversed(directory.parents), directory]:
        if not _succeeds(account, ["/bin/sh", "-c", 'cd -- "$0"', str(path)]):
            raise ServerCannotRun(
                f"PostgreSQL does not run as root, and the account {account.name}, which runs it "
                f"instead, cannot enter {path}: allow it (chmod o+x), choose a DATA_DIR elsewhere, "
                f"such as /var/lib/memories, or {OTHERWISE}."
            )


def make_executable(account: Account, binaries: Binaries, copies: Path) -> Binaries:
    """The binaries, or a copy of them below `copies` where the account cannot execute them."""
    if not account.is_other or _succeeds(account, [str(binaries.postgres), "--version"]):
        return binaries
    if binaries.bundled:
        copied = _copy_package(binaries, copies)
        if _succeeds(account, [str(copied.postgres), "--version"]):
            return copied
    raise ServerCannotRun(
        f"The account {account.name}, which runs PostgreSQL in place of root, cannot execute "
        f"{binaries.postgres}: {OTHERWISE}."
    )


def _copy_package(binaries: Binaries, copies: Path) -> Binaries:
    package = binaries.directory.parent.parent
    # The programs find their libraries by relative path: both directories keep their places.
    target = copies / str(binaries.postgres.stat().st_mtime_ns)
    copied = Binaries(target / package.name / "pginstall" / "bin", bundled=True)
    if copied.postgres.exists():
        return copied
    shutil.rmtree(copies, ignore_errors=True)
    partial = copies / "partial"
    for directory in (copies, partial, partial / package.name):
        directory.mkdir()
        directory.chmod(0o755)  # whatever the umask: the account has to enter
    shutil.copytree(
        package / "pginstall",
        partial / package.name / "pginstall",
        symlinks=True,
        ignore=shutil.ignore_patterns("include"),
    )
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, partial / libraries.name, symlinks=True)
    partial.rename(target)
    return copied


def _succeeds(account: Account, command: list[str]) -> bool:
    try:
        result = subprocess.run(
            command, capture_output=True, check=False, cwd="/", **account.popen_options()
        )
    except OSError:
        return False
    return result.returncode == 0
