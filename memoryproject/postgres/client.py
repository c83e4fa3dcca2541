"""`manage.py dbshell` with the psql of the embedded server."""

from collections.abc import Iterable
from typing import Any

from django.db.backends.postgresql import client

from memoryproject.postgres.binaries import find_binaries
from memoryproject.postgres.databases import make_main_database
from memoryproject.postgres.launch import ensure_running, read_options


class DatabaseClient(client.DatabaseClient):
    @classmethod
    def settings_to_cmd_args_env(
        cls, settings_dict: dict[str, Any], parameters: Iterable[str]
    ) -> tuple[list[str], dict[str, str] | None]:
        _, bin_dir, _ = options = read_options(settings_dict["OPTIONS"])
        address = ensure_running(*options)
        make_main_database(address, settings_dict["NAME"])
        served = settings_dict | {
            "HOST": address.host,
            "PORT": address.port,
            "USER": address.user,
            "PASSWORD": address.password,
        }
        arguments, environment = super().settings_to_cmd_args_env(served, parameters)
        return [str(find_binaries(bin_dir).psql), *arguments[1:]], environment
