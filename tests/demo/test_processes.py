"""Nothing outlives a demonstration: not after a normal end, not after it was killed, not what its children started."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from demo.processes import MARK_VARIABLE, Processes, end_marked, marked_processes
from demo.site import StepFailed

# A child that starts another one, as Airflow does, and then ignores every polite request.
STUBBORN = """
import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print(subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True).pid, flush=True)
time.sleep(600)
"""


@pytest.fixture
def stubborn(tmp_path, monkeypatch):
    (tmp_path / "stubborn.py").write_text(STUBBORN)
    return {**os.environ, "PYTHONPATH": str(tmp_path)}


def first_line(log: Path) -> str:
    deadline = time.monotonic() + 20
    while not (lines := log.read_text().splitlines()):
        assert time.monotonic() < deadline, "the child did not start"
        time.sleep(0.02)
    return lines[0]


def wait_until_gone(*pids: int) -> None:
    deadline = time.monotonic() + 20
    while [pid for pid in pids if psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE]:
        assert time.monotonic() < deadline, f"still running: {pids}"
        time.sleep(0.02)


def test_leaving_the_block_ends_a_child_and_its_own_children(tmp_path, stubborn):
    with Processes(tmp_path, grace_seconds=0.2) as processes:
        child = processes.start("Stubborn child", ["stubborn"], stubborn)
        grandchild = int(first_line(tmp_path / "stubborn-child.log"))

    assert child.process.returncode == -signal.SIGKILL
    wait_until_gone(grandchild)


def test_killing_the_demonstration_ends_everything_it_started(tmp_path, stubborn):
    script = (
        "import os, sys, time; from pathlib import Path; from demo.processes import Processes\n"
        f"with Processes(Path({str(tmp_path)!r}), grace_seconds=0.2) as processes:\n"
        "    print(processes.start('child', ['stubborn'], dict(os.environ)).process.pid, flush=True)\n"
        "    time.sleep(600)\n"
    )
    demo = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, env=stubborn)
    with demo:
        assert demo.stdout
        child = int(demo.stdout.readline())
        grandchild = int(first_line(tmp_path / "child.log"))

        demo.kill()

    wait_until_gone(child, grandchild)


def test_a_process_without_the_mark_is_left_alone():
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]) as stranger:
        end_marked("a mark that nobody carries", grace_seconds=0)

        assert stranger.poll() is None
        stranger.kill()


def test_only_the_run_s_own_mark_is_recognised():
    environment = {**os.environ, MARK_VARIABLE: "another run"}
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], env=environment) as other:
        assert marked_processes("this run") == []
        other.kill()


def test_a_child_that_died_is_named_with_the_end_of_its_log(tmp_path, stubborn):
    (tmp_path / "broken.py").write_text("raise SystemExit('port 8400 is taken')")
    with Processes(tmp_path) as processes:
        child = processes.start("Sandbox", ["broken"], stubborn)
        child.process.wait()

        with pytest.raises(StepFailed, match="Sandbox: stopped with exit code 1") as caught:
            processes.check()

    assert caught.value.tail() == ["port 8400 is taken"]


def test_a_step_that_does_not_end_in_time_fails(tmp_path, stubborn):
    with Processes(tmp_path, grace_seconds=0.2) as processes:
        child = processes.start("Airflow database", ["stubborn"], stubborn)

        with pytest.raises(StepFailed, match="Airflow database: not done after 0 seconds"):
            processes.finish(child, 0.05)
