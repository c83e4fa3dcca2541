"""What can keep the embedded server from running. Commands show each as one sentence."""

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import CommandError
from django.db.utils import OperationalError


class ServerCannotRun(ImproperlyConfigured, CommandError):
    """This machine, account or directory cannot run the embedded PostgreSQL."""


class ServerDidNotStart(OperationalError, CommandError):
    """The embedded PostgreSQL was started and failed; the last lines of its log follow."""
