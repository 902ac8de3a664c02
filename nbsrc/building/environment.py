"""Making the virtual environment. Run as a script, by a Python that has nothing installed.

It holds ``.venv`` to pyproject.toml and constraints.txt: a stamp with their digest is written only
after everything is installed, so an interrupted installation is never taken for a finished one.
Only the standard library is used, and nothing of this package.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import subprocess
import sys
import time
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

EXTRAS = "book,attacks,test"
KERNEL = "nbsrc"
_SIGN_OF_LIFE = 15.0
_LOG = logging.getLogger("nbsrc.environment")


class InstallError(RuntimeError):
    """A step of the installation failed."""


def ensure(root: Path) -> bool:
    """Make the environment, or bring it up to date, or leave it as it is.

    Args:
        root: Folder that holds pyproject.toml and constraints.txt.

    Returns:
        Whether anything was installed.
    """
    stamp = root / ".venv" / "nbsrc-environment.json"
    wanted = wanted_state(root)
    if read_stamp(stamp).get("state") == wanted:
        return False
    with _lock(root / ".venv.lock"):
        known = read_stamp(stamp)
        if known.get("state") == wanted:  # another `make` has done it meanwhile
            return False
        start = time.monotonic()
        # without a stamp an installation broke off; with one, its packages are whole
        fresh = known.get("state", {}).get("python") != wanted["python"]
        stamp.unlink(missing_ok=True)
        _LOG.info("installing into .venv (minutes on the first run), log: .venv/install.log")
        if fresh:
            venv.create(root / ".venv", with_pip=True, clear=True)
        _install(root)
        seconds = round(time.monotonic() - start, 1)
        # what an installation from nothing took is kept; an update says nothing about it
        record = {"state": wanted, "seconds": seconds if fresh else known.get("seconds")}
        _write(stamp, json.dumps(record, indent=1, sort_keys=True) + "\n")
        _LOG.info("installed in %.0f s", seconds)
    return True


def wanted_state(root: Path) -> dict[str, str]:
    """Describe what the environment has to agree with.

    Args:
        root: Folder that holds pyproject.toml and constraints.txt.

    Returns:
        Version of Python, place, and digests of the two files.
    """
    files = {
        name: hashlib.sha256((root / name).read_bytes()).hexdigest()
        for name in ("pyproject.toml", "constraints.txt")
    }
    return {"python": sys.version.split()[0], "root": str(root), **files}


def read_stamp(stamp: Path) -> dict[str, Any]:
    """Read what the environment was last brought to.

    Args:
        stamp: The stamp file.

    Returns:
        Its content; empty when there is none.
    """
    try:
        content = json.loads(stamp.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _install(root: Path) -> None:
    python = str(root / ".venv" / "bin" / "python")
    log = root / ".venv" / "install.log"
    log.write_text("", encoding="utf-8")
    pip = [python, "-m", "pip", "install", "--progress-bar", "off", "--no-input"]
    _run([*pip, "-c", "constraints.txt", "-e", f".[{EXTRAS}]"], root, log)
    kernel = ["--sys-prefix", "--name", KERNEL, "--display-name", "Python (nbsrc)"]
    _run([python, "-m", "ipykernel", "install", *kernel], root, log)


def _run(command: list[str], root: Path, log: Path) -> None:
    """Run a command into the log, with a sign of life in the terminal.

    Args:
        command: Program and arguments.
        root: Working folder.
        log: File that gets the output.

    Raises:
        InstallError: If the command fails; the message holds the end of the log.
    """
    start = shown = time.monotonic()
    with log.open("ab") as stream:
        process = subprocess.Popen(command, cwd=root, stdout=stream, stderr=stream)
        try:
            while process.poll() is None:
                time.sleep(0.2)
                if time.monotonic() - shown >= _SIGN_OF_LIFE:
                    shown = time.monotonic()
                    _LOG.info("        %3.0f s  %s", shown - start, _phase(log))
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait()
    if process.returncode:
        tail = "\n".join(_lines(log)[-25:])
        raise InstallError(f"{' '.join(command)} failed:\n{tail}\nwhole log: {log}")


def _lines(log: Path) -> list[str]:
    return log.read_text(encoding="utf-8", errors="replace").splitlines()


def _phase(log: Path) -> str:
    lines = _lines(log)
    installing = [line for line in lines if line.startswith("Installing collected packages:")]
    if installing:
        return f"installing {installing[-1].count(',') + 1} packages"
    return f"collecting packages, {sum(line.startswith('Collecting') for line in lines)} so far"


def _write(path: Path, text: str) -> None:
    temporary = path.with_suffix(".tmp")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    """Let one installation run at a time; the system releases the lock when a process dies.

    Args:
        path: Lock file.

    Yields:
        Nothing.
    """
    with path.open("w", encoding="utf-8") as stream:
        if os.name == "posix":
            import fcntl

            fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def main() -> int:
    """Make the environment of the checkout this file lies in.

    Returns:
        0 when it is there.
    """
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    try:
        ensure(Path(__file__).resolve().parents[2])
    except InstallError as error:
        _LOG.error("%s", error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
