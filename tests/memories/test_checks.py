import pytest
from django.conf import settings as project
from django.core.checks import run_checks
from django.core.management import CommandError, call_command
from django.db import connection

from memories import startup
from memories.checks import (
    archive_problems,
    check_database,
    check_debug,
    check_endpoints,
    check_promises,
)


def ids(problems):
    return [problem.id for problem in problems]


def check_shape(problems):
    for problem in problems:
        assert problem.msg.endswith(".")
        assert problem.hint.endswith(".")


class TestEndpoints:
    @pytest.mark.parametrize(
        ("endpoint", "found"),
        [
            ("tcp://127.0.0.1:5570", []),
            ("tcp://127.0.0.1:0", []),
            ("tcp://127.0.0.1:*", []),
            ("tcp://localhost:5570", []),
            ("tcp://lo:5570", []),
            ("tcp://[::1]:5570", []),
            ("ipc:///run/memories/socket", []),
            ("ipc://" + "x" * 107, []),
            ("ipc://" + "x" * 108, ["memories.E002"]),
            ("ipc://" + "é" * 54, ["memories.E002"]),
            ("ipc://", ["memories.E002"]),
            ("tcp://*:5570", ["memories.W001"]),
            ("tcp://0.0.0.0:5570", ["memories.W001"]),
            ("tcp://[::]:5570", ["memories.W001"]),
            ("tcp://192.168.1.7:5570", ["memories.W001"]),
            ("tcp://eth0:5570", ["memories.W001"]),
            ("tcp://localhost.example.org:5570", ["memories.W001"]),
            ("tcp://127.0.0.1", ["memories.E002"]),
            ("tcp://127.0.0.1:65536", ["memories.E002"]),
            ("tcp://:5570", ["memories.E002"]),
            ("127.0.0.1:5570", ["memories.E002"]),
            ("http://127.0.0.1:5570", ["memories.E002"]),
            ("inproc://memories", ["memories.E002"]),
            ("", ["memories.E002"]),
        ],
    )
    def test_each(self, settings, endpoint, found):
        settings.ORCHESTRATOR_ENDPOINTS = ["tcp://127.0.0.1:5570", endpoint]
        problems = check_endpoints()
        assert ids(problems) == found
        check_shape(problems)
        for problem in problems:
            assert endpoint in problem.msg

    def test_none_at_all(self, settings):
        settings.ORCHESTRATOR_ENDPOINTS = []
        assert ids(check_endpoints()) == ["memories.E002"]


@pytest.mark.parametrize(
    ("name", "value", "found"),
    [
        ("CACHE_TTL_SECONDS", 86_399.0, []),
        ("CACHE_TTL_SECONDS", 86_400.0, ["memories.W002"]),
        ("REQUEST_KEY_DAYS", 7.0, []),
        ("REQUEST_KEY_DAYS", 6.9, ["memories.W003"]),
    ],
)
def test_weakened_promises(settings, name, value, found):
    setattr(settings, name, value)
    problems = check_promises()
    assert ids(problems) == found
    check_shape(problems)
    for problem in problems:
        assert name in problem.msg


@pytest.mark.parametrize(
    ("debug", "hosts", "found"),
    [
        (True, ["localhost", "127.0.0.1", "[::1]"], []),
        (True, ["localhost", "memories.example.org"], ["memories.W004"]),
        (True, ["*"], ["memories.W004"]),
        (False, ["*"], []),
    ],
)
def test_error_pages_that_show_too_much(settings, debug, hosts, found):
    settings.DEBUG = debug
    settings.ALLOWED_HOSTS = hosts
    problems = check_debug()
    assert ids(problems) == found
    check_shape(problems)


def extension_is(version):
    """As if the server offered that version of pgvector, or none."""

    def wrapper(execute, sql, params, many, context):
        if "pg_available_extensions" in sql:
            sql, params = "SELECT %s::text, true WHERE %s::text IS NOT NULL", [version, version]
        return execute(sql, params, many, context)

    return connection.execute_wrapper(wrapper)


@pytest.mark.django_db
class TestDatabase:
    def check(self):
        problems = check_database(databases=["default"])
        check_shape(problems)
        return problems

    def test_a_right_one(self):
        assert self.check() == []

    def test_is_left_alone_unless_asked_for(self, django_assert_num_queries):
        with django_assert_num_queries(0):
            assert check_database(databases=None) == []

    @pytest.mark.parametrize("version", [None, "0.7.4"])
    def test_without_the_extension_or_with_an_old_one(self, version):
        with extension_is(version):
            [problem] = self.check()
        assert problem.id == "memories.E001"
        assert (version or "missing") in problem.msg

    @pytest.mark.parametrize("version", ["0.8.0", "0.10.1", "1.0"])
    def test_newer_ones_are_not_compared_as_text(self, version):
        with extension_is(version):
            assert self.check() == []

    def test_an_unknown_language(self, settings):
        settings.SEARCH_LANGUAGE = "klingon"
        [problem] = self.check()
        assert problem.id == "memories.E003"
        assert "english" in problem.hint

    def test_commits_that_a_crash_can_lose(self):
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL synchronous_commit = off")
        [problem] = self.check()
        assert problem.id == "memories.W005"
        assert "synchronous_commit" in problem.msg

    def test_the_start_says_the_same_in_one_sentence(self):
        with extension_is(None), pytest.raises(CommandError, match="is missing on the database"):
            startup._check_server()


def test_are_registered(settings):
    settings.CACHE_TTL_SECONDS = 100_000.0
    settings.ORCHESTRATOR_ENDPOINTS = ["tcp://*:5570"]
    assert {"memories.W001", "memories.W002"} <= set(ids(run_checks()))


def test_the_settings_as_they_come_have_none(capsys):
    call_command("check", fail_level="INFO")
    assert project.ORCHESTRATOR_ENDPOINTS == ["tcp://127.0.0.1:5570"]


def test_archiving_that_was_asked_for_and_does_not_happen_is_told(db, settings):
    assert archive_problems() == []
    settings.WAL_ARCHIVE = True
    problems = archive_problems()  # the tests' server was started without it
    assert ids(problems) == ["memories.W006"]
    check_shape(problems)
