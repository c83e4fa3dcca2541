"""Each alert fires for its trouble and for nothing else: unit tests of promtool."""

import re
import subprocess

import pytest
import yaml

from memories.services.health import OLD_BACKUP
from tests.deploy.monitoring import ALERTS, ALERTS_FILE, DEPLOY, forwarding_query, program

NAMES = [alert["alert"] for alert in ALERTS]
STEPS = 720  # of 15 seconds: three hours
STILL, RISING, IN_TIME = f"0+0x{STEPS}", f"0+100x{STEPS}", f"0+15x{STEPS}"

WELL = {
    "up": f"1+0x{STEPS}",
    "memories_database_up": f"1+0x{STEPS}",
    'memories_requests_total{action="create",outcome="success"}': RISING,
    'memories_requests_total{action="create",outcome="storage_error"}': STILL,
    'memories_requests_total{action="create",outcome="validation_error"}': RISING,
    'memories_request_seconds_bucket{action="create",le="0.1"}': RISING,
    'memories_request_seconds_bucket{action="create",le="1"}': RISING,
    'memories_request_seconds_bucket{action="create",le="+Inf"}': RISING,
    'memories_request_seconds_bucket{action="search",le="1"}': RISING,
    'memories_request_seconds_bucket{action="search",le="5"}': RISING,
    'memories_request_seconds_bucket{action="search",le="+Inf"}': RISING,
    'memories_lane_refused_total{lane="writes"}': STILL,
    'memories_lane_oldest_seconds{lane="writes"}': STILL,
    "memories_outbox_dropped_requests_total": STILL,
    "memories_cache_trusted": f"1+0x{STEPS}",
    'memories_job_failures_total{job_name="embedding"}': STILL,
    'memories_job_period_seconds{job_name="embedding"}': f"0.25+0x{STEPS}",
    'memories_job_period_seconds{job_name="backup"}': f"60+0x{STEPS}",
    'memories_job_last_success_timestamp_seconds{job_name="embedding"}': IN_TIME,
    'memories_job_last_success_timestamp_seconds{job_name="backup"}': STILL,
    "memories_measured_timestamp_seconds": IN_TIME,
    "memories_embeddings_oldest_seconds": f"5+0x{STEPS}",
    "memories_embeddings_set_aside": STILL,
    'memories_backup_made_timestamp_seconds{kind="dump"}': STILL,  # the clock begins at 0 here
    'memories_backup_failed{kind="dump"}': STILL,
    'memories_database_connections{state="active"}': f"2+0x{STEPS}",
    'memories_database_connections{state="idle"}': f"20+0x{STEPS}",
    "memories_database_max_connections": f"100+0x{STEPS}",
    'memories_disk_free_bytes{folder="DATA_DIR"}': f"{10 << 30}+0x{STEPS}",
    'memories_disk_size_bytes{folder="DATA_DIR"}': f"{100 << 30}+0x{STEPS}",
    "memories_clock_skew_seconds": f"-1+0x{STEPS}",
    "memories_log_lines_lost_total": STILL,
    "process_open_fds": f"50+0x{STEPS}",
    "process_max_fds": f"1024+0x{STEPS}",
    "pg_up": f"1+0x{STEPS}",
    "pg_stat_archiver_failed_count": STILL,
}

TROUBLE = {
    "MemoriesDown": {"up": STILL},
    "MemoriesDatabaseAway": {"memories_database_up": STILL},
    "MemoriesFaults": {
        'memories_requests_total{action="create",outcome="storage_error"}': f"0+10x{STEPS}"
    },
    "MemoriesSlow": {'memories_request_seconds_bucket{action="create",le="0.1"}': STILL},
    "MemoriesSearchSlow": {'memories_request_seconds_bucket{action="search",le="1"}': STILL},
    "MemoriesLaneRefuses": {'memories_lane_refused_total{lane="writes"}': RISING},
    "MemoriesLaneStuck": {'memories_lane_oldest_seconds{lane="writes"}': IN_TIME},
    "MemoriesSlowReader": {"memories_outbox_dropped_requests_total": RISING},
    "MemoriesCacheBlind": {"memories_cache_trusted": STILL},
    "MemoriesJobFails": {'memories_job_failures_total{job_name="embedding"}': f"0+1x{STEPS}"},
    "MemoriesJobLate": {'memories_job_last_success_timestamp_seconds{job_name="embedding"}': STILL},
    "MemoriesMeasuresOld": {"memories_measured_timestamp_seconds": STILL},
    "MemoriesVectorsLate": {"memories_embeddings_oldest_seconds": f"700+0x{STEPS}"},
    "MemoriesVectorsSetAside": {"memories_embeddings_set_aside": f"1+0x{STEPS}"},
    "MemoriesBackupOld": {
        'memories_backup_made_timestamp_seconds{kind="dump"}': f"-172800+0x{STEPS}"
    },
    "MemoriesBackupFails": {'memories_backup_failed{kind="dump"}': f"1+0x{STEPS}"},
    "MemoriesConnectionsShort": {'memories_database_connections{state="idle"}': f"80+0x{STEPS}"},
    "MemoriesDiskFull": {'memories_disk_free_bytes{folder="DATA_DIR"}': f"{4 << 30}+0x{STEPS}"},
    "MemoriesClockOff": {"memories_clock_skew_seconds": f"-3600+0x{STEPS}"},
    "MemoriesLogLost": {"memories_log_lines_lost_total": RISING},
    "MemoriesFilesShort": {"process_open_fds": f"900+0x{STEPS}"},
    "PostgresDown": {"pg_up": STILL},
    "PostgresArchiveFails": {"pg_stat_archiver_failed_count": RISING},
}


def series(name, values):
    labels = 'job="memories",instance="kitchen"'
    metric, _, more = name.rstrip("}").partition("{")
    return {"series": f"{metric}{{{labels}{',' * bool(more)}{more}}}", "values": values}


def firing(trouble, alerts):
    """A test of promtool: of all that is well but for `trouble`, these alerts fire."""
    expected = [{"labels": f'{{alertname="{name}"}}', "value": 1} for name in alerts]
    return {
        "interval": "15s",
        "input_series": [series(*each) for each in (WELL | trouble).items()],
        "promql_expr_test": [
            {
                "expr": 'group by (alertname) (ALERTS{alertstate="firing"})',
                "eval_time": "3h",
                "exp_samples": expected,
            }
        ],
    }


def written(directory, tests):
    file = directory / "alerts.test.yml"
    told = {"rule_files": [str(ALERTS_FILE)], "evaluation_interval": "15s", "tests": tests}
    file.write_text(yaml.safe_dump(told))
    return file


def promtool(*arguments):
    return subprocess.run(
        [program("promtool"), *arguments], capture_output=True, text=True, timeout=100
    )


def test_the_configuration_and_the_rules_are_valid():
    checked = promtool("check", "config", DEPLOY / "prometheus" / "prometheus.yml")
    assert checked.returncode == 0, checked.stderr
    assert f"{len(ALERTS)} rules found" in checked.stdout


def test_each_alert_fires_for_its_trouble_alone(tmp_path):
    tests = [firing({}, []), *(firing(trouble, [name]) for name, trouble in TROUBLE.items())]
    tested = promtool("test", "rules", written(tmp_path, tests))
    assert tested.returncode == 0, tested.stdout + tested.stderr
    assert sorted(TROUBLE) == sorted(NAMES)


def test_what_grafana_passes_on_names_the_alert(tmp_path):
    asked = firing(TROUBLE["MemoriesDown"], []) | {"promql_expr_test": [passed_on("MemoriesDown")]}
    tested = promtool("test", "rules", written(tmp_path, [asked]))
    assert tested.returncode == 0, tested.stdout + tested.stderr


def passed_on(name):
    labels = f'{{alert="{name}",severity="critical",instance="kitchen"}}'
    samples = [{"labels": labels, "value": 1}]
    return {"expr": forwarding_query(), "eval_time": "3h", "exp_samples": samples}


def test_a_backup_is_old_when_the_doctor_calls_it_so():
    [alert] = [alert for alert in ALERTS if alert["alert"] == "MemoriesBackupOld"]
    assert alert["expr"].endswith(f"> {OLD_BACKUP.total_seconds() / 3600:g} * 3600")


@pytest.mark.parametrize("alert", ALERTS, ids=NAMES)
def test_an_alert_says_what_is_wrong_and_what_to_do(alert):
    page = (DEPLOY.parent / "docs" / "watching.md").read_text()
    told = [re.sub(r"\{\{ \$labels\.(\w+) \}\}", r"*\1*", text) for text in annotations(alert)]
    row = f"| `{alert['alert']}` | {alert['labels']['severity']} | {told[0]} | {told[1]} |"
    assert row in page


def annotations(alert):
    return alert["annotations"]["summary"], alert["annotations"]["action"]
