"""Nothing outlives what started it, and no lock outlives its process."""

import os
import platform
import signal
import subprocess
import sys
import time

import psutil
import pytest

from nbsrc.building.processes import (
    BUILD,
    ProcessTimeoutError,
    exclusive,
    run_supervised,
)

# a child in a session of its own, as a Jupyter kernel is
PARENT = """
import pathlib, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"],
                         start_new_session=True)
pathlib.Path(sys.argv[1]).write_text(str(child.pid))
time.sleep(60)
"""


def wait_until(condition, seconds=10.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


def is_gone(pid):
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_the_status_comes_back():
    command = [sys.executable, "-c", "raise SystemExit(3)"]
    assert run_supervised(command, seconds=20) == 3


def test_a_timeout_ends_children_in_other_sessions_too(tmp_path):
    note = tmp_path / "pid"
    with pytest.raises(ProcessTimeoutError, match="stopped after 2 s"):
        run_supervised([sys.executable, "-c", PARENT, str(note)], seconds=2)
    wait_until(lambda: is_gone(int(note.read_text())))


HOLDER = """
import pathlib, sys, time
from nbsrc.building.processes import exclusive
with exclusive(pathlib.Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_lock_is_free_once_its_holder_was_killed(tmp_path):
    path = tmp_path / "folder" / "lock"
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)], stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout.readline() == "held\n"
        os.kill(holder.pid, signal.SIGKILL)
        holder.wait()
        with exclusive(path) as waited:
            assert not waited


def test_a_second_holder_waits(tmp_path):
    path = tmp_path / "lock"
    code = HOLDER.replace("60", "0.5")
    with subprocess.Popen(
        [sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True
    ) as holder:
        holder.stdout.readline()
        with exclusive(path) as waited:
            assert waited


WORK = """
import time
from nbsrc.building.processes import die_with_build
die_with_build()
print("ready", flush=True)
time.sleep(60)
"""


def start_work(build):
    work = subprocess.Popen(
        [sys.executable, "-c", WORK],
        env={**os.environ, BUILD: build},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert work.stdout.readline() == "ready\n"
    return work


def test_work_ends_when_its_build_is_gone():
    build = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    with start_work(f"{platform.node()}:{build.pid}") as work:
        time.sleep(0.5)
        assert work.poll() is None
        build.kill()
        build.wait()
        assert work.wait(timeout=10) == -signal.SIGKILL


def test_work_of_a_build_on_another_machine_goes_on():
    with start_work("elsewhere:999999999") as work:
        time.sleep(0.5)
        assert work.poll() is None
        work.kill()


CHILD_OF_THE_DYING = """
import time
from nbsrc.building.processes import die_with_parent
die_with_parent()
print("ready", flush=True)
time.sleep(60)
"""
DYING = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", sys.argv[1]], stdout=subprocess.PIPE, text=True)
child.stdout.readline()
print(child.pid, flush=True)
"""


def test_a_process_dies_with_its_parent():
    done = subprocess.run(
        [sys.executable, "-c", DYING, CHILD_OF_THE_DYING],
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    wait_until(lambda: is_gone(int(done.stdout)))
