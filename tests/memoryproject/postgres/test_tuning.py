"""The rules of the settings, and the bound on the logs."""

from memoryproject.postgres.layout import Layout
from memoryproject.postgres.logs import remove_old_logs
from memoryproject.postgres.tuning import (
    Machine,
    choose_settings,
    measure_machine,
    render_settings,
)

GIB = 1 << 30


def settle(memory=8 * GIB, shm=4 * GIB, disk=100 * GIB):
    return choose_settings(Machine(memory_bytes=memory, shm_bytes=shm, free_disk_bytes=disk))


def test_settings_follow_the_memory():
    assert settle()["shared_buffers"] == "1024MB"
    assert settle(memory=GIB // 2)["shared_buffers"] == "64MB"
    assert settle(memory=1024 * GIB)["shared_buffers"] == "2048MB"
    assert int(settle()["max_connections"]) >= 100


def test_small_shared_memory_of_a_container_is_avoided():
    assert settle(shm=64 << 20)["dynamic_shared_memory_type"] == "mmap"
    assert "dynamic_shared_memory_type" not in settle()
    assert "dynamic_shared_memory_type" not in settle(shm=None)


def test_small_disk_is_not_filled_by_the_log_of_changes():
    assert settle(disk=6 * GIB)["max_wal_size"] == "307MB"


def test_this_machine_can_be_measured(tmp_path):
    machine = measure_machine(tmp_path)
    assert machine.memory_bytes > 1 << 26
    assert machine.free_disk_bytes > 0


def test_quotes_are_doubled():
    assert "a = 'it''s'\n" in render_settings({"a": "it's"})


def test_only_the_newest_logs_are_kept(tmp_path):
    layout = Layout(tmp_path)
    layout.log_dir.mkdir(parents=True)
    for number in range(25):
        (layout.log_dir / f"postgres-2026-01-01-0000{number:02}.log").touch()
    remove_old_logs(layout)
    kept = sorted(path.name for path in layout.log_dir.iterdir())
    assert kept == [f"postgres-2026-01-01-0000{number:02}.log" for number in range(15, 25)]
