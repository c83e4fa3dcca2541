"""Where everything of one embedded server lies. Every module of this package asks here."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

PORT = 5432  # only a part of the socket's file name: the server never listens on TCP
SUPERUSER = "memories"
_LONGEST_SOCKET_PATH_BYTES = 107


@dataclass(frozen=True, slots=True)
class Layout:
    """The files below `data_dir`: `postgres/` is the cluster, `postgres.run/` can be made anew."""

    data_dir: Path

    @property
    def cluster(self) -> Path:
        return self.data_dir / "postgres"

    @property
    def postmaster_pid(self) -> Path:
        return self.cluster / "postmaster.pid"

    @property
    def password(self) -> Path:
        return self.cluster / "superuser.password"

    @property
    def new_cluster(self) -> Path:
        """Where a cluster is made, before it gets its name."""
        return self.data_dir / "postgres.new"

    @property
    def binary_copies(self) -> Path:
        return self.data_dir / "postgres.bin"

    @property
    def run(self) -> Path:
        return self.data_dir / "postgres.run"

    @property
    def clients_lock(self) -> Path:
        """Shared by every client process; exclusive means that no client is left."""
        return self.run / "clients.lock"

    @property
    def start_lock(self) -> Path:
        """Held from the decision to start until the server is ready."""
        return self.run / "start.lock"

    @property
    def supervisor_lock(self) -> Path:
        """Held by the supervisor for its life."""
        return self.run / "supervisor.lock"

    @property
    def server_lock(self) -> Path:
        """Inherited by every process of the server: free means that none is left."""
        return self.run / "server.lock"

    @property
    def supervisor_log(self) -> Path:
        return self.run / "supervisor.log"

    @property
    def startup_log(self) -> Path:
        """What the server says before its log collector runs."""
        return self.run / "startup.log"

    @property
    def log_dir(self) -> Path:
        return self.run / "log"

    @property
    def socket_dir(self) -> Path:
        """The run directory, or a short name in /tmp (TMPDIR differs among clients)."""
        socket = self.run / f".s.PGSQL.{PORT}"
        if len(os.fsencode(socket)) <= _LONGEST_SOCKET_PATH_BYTES:
            return self.run
        digest = hashlib.sha256(os.fsencode(self.data_dir)).hexdigest()[:16]
        return Path("/tmp") / f"memories-postgres-{digest}"  # noqa: S108 - its owner is checked
