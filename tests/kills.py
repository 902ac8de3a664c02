"""Work that is killed again and again: forked, so that only the work itself takes time.

Used by scripts that run in a process of their own, with one thread: forks have no other threads.
"""

from __future__ import annotations

import os
import random
import signal
import time
import traceback
from collections.abc import Callable
from pathlib import Path


def files(folder: Path) -> dict[str, tuple[int, int]]:
    """What lies in a folder, with times and sizes; temporary files and locks do not count."""
    found = {}
    for path in folder.rglob("*"):
        if path.name.endswith((".tmp", ".lock")) or not path.is_file():
            continue
        status = path.stat()
        found[str(path.relative_to(folder))] = (status.st_mtime_ns, status.st_size)
    return found


def killed(work: Callable[[], object], folder: Path, delay: float) -> bool:
    """Start the work, wait until it has changed the folder, and SIGKILL it a little later.

    Returns:
        Whether it was killed; it may have been faster.
    """
    before = files(folder)
    child = _fork(work)
    while not (started := files(folder) != before) and _status(child) is None:
        time.sleep(0.001)
    if started:
        time.sleep(delay)
    if _status(child) is None:
        os.kill(child, signal.SIGKILL)
        _ended[child] = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert _ended[child] in {0, -signal.SIGKILL}, "the work failed"
    return _ended.pop(child) != 0


def kill_until_finished(
    work: Callable[[], object],
    folder: Path,
    *,
    kills: int,
    longest: float,
    seed: int,
    note: Callable[[], object],
) -> None:
    """Kill the work at random moments, with a note after every kill, then let it finish."""
    rng = random.Random(seed)
    for _ in range(kills):
        if not killed(work, folder, rng.uniform(0, longest)):
            break
        note()
    finish(work)


def finish(work: Callable[[], object]) -> None:
    """Let the work finish in a process of its own."""
    child = _fork(work)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0, "the work failed"


_ended: dict[int, int] = {}


def _fork(work: Callable[[], object]) -> int:
    child = os.fork()
    if child == 0:
        try:
            work()
        except BaseException:  # noqa: BLE001 - whatever it is, the child ends here
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    return child


def _status(child: int) -> int | None:
    """The exit status of a child, None while it runs."""
    if child not in _ended:
        done, status = os.waitpid(child, os.WNOHANG)
        if not done:
            return None
        _ended[child] = os.waitstatus_to_exitcode(status)
    return _ended[child]
