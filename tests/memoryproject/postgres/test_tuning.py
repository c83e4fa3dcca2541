"""The rules of the settings, and the bound on the logs."""

from pathlib import Path

from memoryproject.postgres.layout import Layout
from memoryproject.postgres.logs import remove_old_logs
from memoryproject.postgres.tuning import (
    Machine,
    Workload,
    advise,
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


def advised(machine, workload=None):
    return {each.name: each.value for each in advise(machine, workload)}


def test_a_machine_that_is_not_known_gets_no_sizes():
    names = advised(Machine(None, None, None))
    assert names["fsync"] == "on"
    assert not {"shared_buffers", "max_wal_size", "max_parallel_maintenance_workers"} & set(names)


def test_advice_follows_what_the_server_has_seen():
    machine = Machine(8 * GIB, None, 400 * GIB, cores=8)
    quiet, busy = advised(machine), advised(machine, Workload(5_000_000, 2 * GIB, 900))
    assert quiet["max_wal_size"] == "2048MB" and busy["max_wal_size"] == "6144MB"
    assert "autovacuum_vacuum_scale_factor" not in quiet
    assert busy["autovacuum_vacuum_scale_factor"] == "0.05"
    assert busy["max_connections"] == "900"
    assert quiet["max_parallel_maintenance_workers"] == "4"


def test_every_advice_has_its_reason():
    assert all(len(each.reason) > 20 for each in advise(measure_machine(Path("/"))))


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


def test_every_advice_is_documented():
    page = (Path(__file__).parents[3] / "docs" / "tuning.md").read_text()
    machine = Machine(8 * GIB, None, 400 * GIB, cores=8)
    names = advised(machine, Workload(largest_table_rows=5_000_000))
    assert [name for name in names if f"`{name}`" not in page] == []
