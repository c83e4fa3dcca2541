"""The command line, as a process would be run: what it prints, and how it ends."""

import json
import signal
import subprocess
import sys
from threading import Event

import pytest

from tests.zmqbridge.scripted_router import ScriptedRouter, Shelf
from tests.zmqbridge.test_replay import HOUSEHOLD, written
from zmqbridge.__main__ import main
from zmqbridge.client import Client
from zmqbridge.tail import Tail


@pytest.fixture
def shelf():
    return Shelf()


@pytest.fixture
def endpoint(shelf):
    with ScriptedRouter(shelf) as router:
        yield router.endpoint


def test_a_memory_is_created_read_and_found(endpoint, capsys):
    options = ["--endpoint", endpoint, "--session", "s"]
    assert main(["create", "The cat is called [b]Minou[/b].", *options]) == 0
    memory_id = capsys.readouterr().out.strip()
    assert main(["read", memory_id, *options, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["content"]["text"].startswith("The cat")
    assert main(["search", "cat", *options]) == 0
    assert "[b]Minou[/b]" in capsys.readouterr().out
    assert main(["search", "cat", *options, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["total_count"] == 1
    assert main(["search", "dog", *options]) == 0
    assert "Nothing found" in capsys.readouterr().out


def test_what_is_shown_cannot_steer_the_terminal(endpoint, capsys):
    options = ["--endpoint", endpoint, "--session", "s"]
    main(["create", "red \x1b[31m alert\nnext", *options])
    main(["read", capsys.readouterr().out.strip(), *options])
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert out.count("\n") == 1


def test_an_error_is_one_sentence_and_exit_code_1(endpoint, capsys):
    assert main(["read", "mem-none", "--endpoint", endpoint]) == 1
    assert capsys.readouterr().err == "Refused. (memory_not_found)\n"


def test_nobody_at_the_endpoint_is_told_with_what_to_do(capsys):
    with ScriptedRouter(Shelf()) as router:
        pass
    there = ["--endpoint", router.endpoint, "--timeout", "0.2"]
    for command in (["read", "m"], ["search", "x", "--session", "s"], ["replay", str(HOUSEHOLD)]):
        assert main([*command, *there]) == 1
        error = capsys.readouterr().err
        assert router.endpoint in error
        assert "make run" in error
        assert error.count("\n") == 1


@pytest.mark.parametrize("arguments", [[], ["create"], ["dance"], ["read", "m", "--timeout", "-1"]])
def test_wrong_usage_is_exit_code_2(arguments, capsys):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2


def test_a_bad_file_is_told_before_anything_is_sent(endpoint, shelf, tmp_path, capsys):
    path = written(tmp_path / "turns.jsonl", {}, {"role": "cat"})
    assert main(["replay", str(path), "--endpoint", endpoint]) == 1
    assert "line 2" in capsys.readouterr().err
    assert shelf.actions == []


def test_a_demo_stores_compares_and_searches(endpoint, shelf, capsys):
    assert main(["demo", str(HOUSEHOLD), "--endpoint", endpoint]) == 0
    out = capsys.readouterr().out
    assert "turns a second" in out
    assert "the same" in out
    assert shelf.actions.count("search") == 5


def test_a_demo_fails_on_a_difference(endpoint, shelf, tmp_path, capsys):
    path = written(tmp_path / "turns.jsonl", {}, {"text": "b"})
    with Client(endpoint, session_id="s") as client:
        client.create("It was there before.")
    assert main(["demo", str(path), "--endpoint", endpoint]) == 1
    told = capsys.readouterr()
    assert "It was there before." in told.out
    assert "differences: 1." in told.err


def test_a_tail_shows_each_memory_once_and_in_order(endpoint):
    shown, stop = [], Event()
    with Client(endpoint, session_id="s") as client:
        for number in range(4):
            client.create(f"early {number}")

        def show(memory):
            shown.append(memory.text)
            if memory.text == "early 3":
                for number in range(150):
                    client.create(f"late {number}")
            if memory.text == "late 149":
                stop.set()

        Tail(client, "s", "session", show).follow(2, 0.01, stop)
    assert shown == ["early 2", "early 3", *(f"late {number}" for number in range(150))]


def test_a_tail_ends_well_on_ctrl_c(endpoint):
    main(["create", "here", "--endpoint", endpoint, "--session", "s"])
    command = [sys.executable, "-m", "zmqbridge", "tail", "--endpoint", endpoint, "--session", "s"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as tail:
        assert "here" in tail.stdout.readline()
        tail.send_signal(signal.SIGINT)
        assert tail.wait(10) == 0


def test_the_client_and_the_commands_import_no_django():
    script = (
        "import sys, zmqbridge.__main__;"
        "print([name for name in sys.modules if name.split('.')[0] in"
        " ('django', 'memories', 'memoryproject')])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")
