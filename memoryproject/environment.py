"""The environment, files of it, and the secret that is made where none is given. For settings.py.

Whatever cannot be right is refused with one sentence.
"""

import io
import re
import secrets
from pathlib import Path
from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured


class Environment(environ.FileAwareEnv):  # type: ignore[misc]  # it has no types
    """NAME, or the content of the file that NAME_FILE names: so secrets come into containers."""

    def get_value(self, var: str, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().get_value(var, *args, **kwargs)
        except OSError as error:
            raise ImproperlyConfigured(
                f"{var}_FILE names {error.filename}, which cannot be read: {error.strerror}."
            ) from None
        except UnicodeDecodeError:
            raise ImproperlyConfigured(f"{var}_FILE names a file that is not UTF-8.") from None


def read_env_file(path: Path) -> None:
    """Into the environment, whose own variables win.

    Nothing in it is passed over: where the line of DATABASE_URL cannot be read, memories would go
    into a fresh embedded database.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        if path.is_symlink():
            raise ImproperlyConfigured(f"{path} is a link to a file that is not there.") from None
        return
    except UnicodeDecodeError:
        raise ImproperlyConfigured(f"{path} is not UTF-8: write it anew as text.") from None
    except OSError as error:
        raise ImproperlyConfigured(f"{path} cannot be read: {error.strerror}.") from None
    lines = {number: line.strip() for number, line in enumerate(text.splitlines(), 1)}
    said = {number: line for number, line in lines.items() if line and not line.startswith("#")}
    for number, line in said.items():
        if "\0" in line or not re.match(r"(export )?\w+=", line, re.ASCII):
            raise ImproperlyConfigured(
                f"Line {number} of {path} sets nothing: write NAME=value, or # before a comment."
            )
    environ.Env.read_env(io.StringIO("\n".join(said.values())))


def kept_secret(path: Path) -> str:
    """The secret key of this installation, made on first use and readable by its owner alone."""
    try:
        if not path.exists():
            _make_secret(path)
        return path.read_text().strip()
    except OSError as error:
        raise ImproperlyConfigured(
            f"The secret key {path} can be neither read nor made: {error.strerror}; mend that, or "
            "name another DATA_DIR."
        ) from error


def _make_secret(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    made = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    made.touch(mode=0o600)
    made.write_text(secrets.token_urlsafe(50))
    try:
        path.hardlink_to(made)  # fails where another process was first: its key stands
    except FileExistsError:
        pass
    finally:
        made.unlink()
