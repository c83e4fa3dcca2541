"""Django with the embedded backend, for the tests: DATA_DIR and the steps to take."""

import os
import signal
import sys
import threading
import time
from pathlib import Path

import django
from django.conf import settings
from django.core.management import call_command, execute_from_command_line
from psycopg_pool import PoolTimeout

from memoryproject.postgres.processes import processes_in, wait_for_end

DATA_DIR = Path(sys.argv[1])


def configure(**options):
    pool = {"min_size": 0, "max_size": 8, "timeout": 10}
    settings.configure(
        DATABASES={
            "default": {
                "ENGINE": "memoryproject.postgres",
                "NAME": "memories",
                "CONN_HEALTH_CHECKS": True,
                "OPTIONS": {
                    "data_dir": DATA_DIR,
                    "pool": pool,
                    "server_side_binding": True,
                    "application_name": "tests",
                    **options,
                },
            }
        },
        INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth"],
        USE_TZ=True,
    )
    django.setup()


def query(statement):
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchone()[0]


def check():
    """A command that needs no database starts none."""
    call_command("check")
    assert not DATA_DIR.exists()


def use():
    assert query("SELECT current_database()") == "memories"
    assert query("SELECT current_setting('TimeZone')") == "UTC"


def run_tests_in_their_own_database():
    from django.db import connection

    use()  # fills the pool with connections to the main database
    connection.creation.create_test_db(verbosity=0)
    assert query("SELECT current_database()") == "test_memories"
    connection.creation.clone_test_db("gw0", verbosity=0)
    connection.creation.destroy_test_db(suffix="gw0", verbosity=0)
    connection.creation.destroy_test_db("memories", verbosity=0)
    use()


def hold_connection(barrier):
    from django.db import connection

    query("SELECT 1")
    barrier.wait(20)
    connection.close()


def fill_the_pool():
    barrier = threading.Barrier(8)
    threads = [threading.Thread(target=hold_connection, args=(barrier,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def survive_restart():
    from django.db import connection

    fill_the_pool()
    before = query("SELECT pg_postmaster_start_time()")
    connection.close()
    postmaster = int((DATA_DIR / "postgres/postmaster.pid").read_text().split()[0])
    os.kill(postmaster, signal.SIGKILL)
    wait_for_end(postmaster)
    while processes_in(DATA_DIR / "postgres"):  # its backends follow within milliseconds
        time.sleep(0.005)
    assert query("SELECT pg_postmaster_start_time()") > before


def survive_crash():
    """A backend's crash ends all connections, and the postmaster starts again by itself."""
    from django.db import OperationalError, connection

    fill_the_pool()
    before = query("SELECT pg_postmaster_start_time()")
    os.kill(query("SELECT pg_backend_pid()"), signal.SIGKILL)
    failures = 0
    while True:
        try:
            assert query("SELECT pg_postmaster_start_time()") == before
        except OperationalError as error:
            assert not isinstance(error.__cause__, PoolTimeout)
            failures += 1
            connection.close()
        else:
            break
    assert failures, "the backend is dead"


def shell():
    call_command("dbshell", "--", "--tuples-only", "-c", "SELECT 'in psql'")


STEPS = {
    "check": check,
    "use": use,
    "tests": run_tests_in_their_own_database,
    "restart": survive_restart,
    "crash": survive_crash,
    "shell": shell,
}

if sys.argv[2] == "refuse":
    configure(bin_dir="/nowhere")
    execute_from_command_line(["manage.py", "migrate"])
else:
    configure()
    for step in sys.argv[2:]:
        STEPS[step]()
