"""Processes that never outlive what started them, and locks that never outlive a process."""

from __future__ import annotations

import os
import platform
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

BUILD = "NBSRC_BUILD"  # machine and process of the build, whose death ends what it started
_PAUSE = 0.1


class ProcessTimeoutError(RuntimeError):
    """A process took longer than it may."""


def run_supervised(command: list[str], *, seconds: float, **options: object) -> int:
    """Run a command and leave nothing of it behind, however it ends.

    Args:
        command: Program and arguments.
        seconds: Longest time it may take.
        **options: Further arguments of `subprocess.Popen`.

    Returns:
        Its exit status.

    Raises:
        ProcessTimeoutError: If it took longer than ``seconds``.
    """
    end = time.monotonic() + seconds
    process = subprocess.Popen(command, start_new_session=True, **options)  # type: ignore[call-overload]
    try:
        while True:
            try:
                return int(process.wait(timeout=_PAUSE))
            except subprocess.TimeoutExpired:
                pass
            if time.monotonic() > end:
                raise ProcessTimeoutError(f"stopped after {seconds:g} s")
    finally:
        kill_tree(process.pid)
        process.wait()


def kill_tree(pid: int) -> None:
    """Kill a process and everything it started, sessions of their own included.

    A Jupyter kernel runs in its own session, so killing the process group would miss it.

    Args:
        pid: Process to end; it may be gone already.
    """
    import psutil

    try:
        process = psutil.Process(pid)
        family = [*process.children(recursive=True), process]
    except psutil.NoSuchProcess:
        return
    for member in family:
        try:
            member.kill()
        except psutil.NoSuchProcess:
            continue


def is_running(pid: int) -> bool:
    """Say whether a process exists.

    Args:
        pid: Its number.

    Returns:
        Whether it runs (under any user).
    """
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def name_build() -> None:
    """Make this process the build that everything it starts belongs to."""
    os.environ[BUILD] = f"{platform.node()}:{os.getpid()}"


def die_with_build() -> None:
    """End this process and what it started as soon as its build is gone.

    There are shells between a build and its jobs, which outlive a killed build. A build on another
    machine (of a cluster) cannot be watched and is not.
    """
    machine, _, pid = os.environ.get(BUILD, "").rpartition(":")
    if machine == platform.node():
        _die_unless(lambda: is_running(int(pid)))


def die_with_parent() -> None:
    """End this process and what it started as soon as its parent is gone."""
    parent = os.getppid()
    _die_unless(lambda: os.getppid() == parent)


def _die_unless(alive: Callable[[], bool]) -> None:
    def watch() -> None:
        while alive():
            time.sleep(_PAUSE)
        kill_tree(os.getpid())

    threading.Thread(target=watch, daemon=True).start()


@contextmanager
def exclusive(path: Path) -> Iterator[bool]:
    """Hold a lock that the system releases when this process ends, SIGKILL included.

    Args:
        path: Lock file; it stays, only the lock on it counts.

    Yields:
        Whether another process held the lock, so that we waited.
    """
    from filelock import FileLock, Timeout

    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path)
    waited = False
    try:
        lock.acquire(timeout=0)
    except Timeout:
        waited = True
        lock.acquire()
    try:
        yield waited
    finally:
        lock.release()
