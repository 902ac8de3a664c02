"""The process that executes one notebook with papermill; `nbsrc.building.runner` starts it.

Usage: ``python -m nbsrc.building.execute job.json``. The job names the source, the parameters and
where to write; the outcome is written as JSON, whether the notebook succeeded or failed.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

from nbsrc.building.processes import die_with_parent
from nbsrc.building.source import cell_text
from nbsrc.files import write_json_atomic

_LINE = 72
# Kernels choose free ports first and take them later, so two that start at once can choose the
# same one (jupyter/jupyter_client issue 487): one of them never answers. No cell has run then.
_STARTS = 3
_START_SECONDS = 60


def main(argv: list[str]) -> int:
    """Execute the notebook that a job file describes.

    Args:
        argv: The job file.

    Returns:
        0 when every cell ran, 1 when one failed.
    """
    die_with_parent()
    job = json.loads(Path(argv[0]).read_text(encoding="utf-8"))
    outcome = execute(job)
    write_json_atomic(job["outcome"], outcome)
    return 0 if outcome["error"] is None else 1


def execute(job: dict[str, Any]) -> dict[str, Any]:
    """Execute a notebook, writing the copy after every cell and a log line per cell.

    A kernel that does not start is tried again, three starts in all; cells never run twice.

    Args:
        job: ``source``, ``copy``, ``log``, ``folder`` (working folder) and ``parameters``.

    Returns:
        ``seconds``, and ``error``: None or what failed in which cell.
    """
    from papermill.exceptions import PapermillExecutionError

    progress = CellLog(Path(job["log"]), total=job["cells"])
    start = time.monotonic()
    error: dict[str, Any] | None = None
    try:
        _run_with_restarts(job, progress)
    except PapermillExecutionError as failure:
        error = {
            "cell": progress.number,
            "line": progress.line,
            "name": failure.ename,
            "value": failure.evalue,
        }
        progress.failed("\n".join(failure.traceback))
    except Exception as failure:  # noqa: BLE001  (a dead kernel, a full disk: report, then fail)
        error = {
            "cell": progress.number,
            "line": progress.line,
            "name": type(failure).__name__,
            "value": str(failure),
        }
        progress.failed(repr(failure))
    return {"seconds": round(time.monotonic() - start, 1), "error": error}


def _run_with_restarts(job: dict[str, Any], progress: CellLog) -> None:
    """Run all cells; try again while no kernel starts.

    Args:
        job: As in `execute`.
        progress: Told of every cell and every restart.

    Raises:
        RuntimeError: If the last kernel did not start either, or a kernel died later.
    """
    for left in reversed(range(_STARTS)):
        try:
            _run_cells(job, progress)
        except RuntimeError as failure:
            if left == 0 or progress.number > 0 or not start_failed(str(failure)):
                raise
            progress.restarted(str(failure))
        else:
            break


def _run_cells(job: dict[str, Any], progress: CellLog) -> None:
    """Start a kernel and run all cells in it.

    Args:
        job: As in `execute`.
        progress: Told of every cell.
    """
    import papermill

    papermill.execute_notebook(
        job["source"],
        job["copy"],
        parameters=job["parameters"],
        kernel_name="python3",
        cwd=job["folder"],
        progress_bar=False,
        request_save_on_cell_execute=True,
        autosave_cell_every=30,
        start_timeout=_START_SECONDS,
        on_cell_start=progress.started,
        on_cell_executed=progress.finished,
    )


def start_failed(message: str) -> bool:
    """Tell whether a message of papermill says that a kernel never answered.

    Args:
        message: An error's text, or a whole traceback.

    Returns:
        True for the two messages with which jupyter_client gives a start up.
    """
    return "Kernel didn't respond in" in message or "Kernel died before replying" in message


class CellLog:
    """One line per code cell: number of how many, seconds, first line of its source.

    Args:
        path: Log file, started anew.
        total: Number of code cells, for ``k of n``.
    """

    def __init__(self, path: Path, total: int) -> None:
        self.path = path
        self.total = total
        self.number = 0
        self.line = ""
        self._start = self._cell_start = time.monotonic()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("", encoding="utf-8")

    def started(self, *, cell: dict[str, Any], **_: object) -> None:
        """Note that a cell starts; only code cells of the source count.

        Args:
            cell: The cell.
        """
        injected = "injected-parameters" in cell.get("metadata", {}).get("tags", [])
        if cell["cell_type"] != "code" or injected:
            return
        self.number += 1
        self.line = first_line(cell_text(cell))
        self._cell_start = time.monotonic()
        self._write(f"cell {self.number} of {self.total}: {self.line}")

    def finished(self, *, cell: dict[str, Any], **_: object) -> None:
        """Note that a cell ended.

        Args:
            cell: The cell.
        """
        took = time.monotonic() - self._cell_start
        self._write(f"cell {self.number} of {self.total} took {took:.1f} s")

    def restarted(self, reason: str) -> None:
        """Note that the kernel did not start and another is tried.

        Args:
            reason: What the first one said.
        """
        self._write(f"no kernel ({reason}), trying again")

    def failed(self, details: str) -> None:
        """Note what went wrong.

        Args:
            details: Traceback or message.
        """
        self._write(f"cell {self.number} of {self.total} FAILED\n{details}")

    def _write(self, text: str) -> None:
        elapsed = time.monotonic() - self._start
        with self.path.open("a", encoding="utf-8") as stream:
            stream.write(f"[{elapsed:6.1f} s] {text}\n")


def first_line(code: str) -> str:
    """Find the first line of code that says something.

    Args:
        code: Source of a cell.

    Returns:
        Its first line that is neither empty nor a comment, shortened.
    """
    lines = [line.strip() for line in code.splitlines()]
    telling = [line for line in lines if line and not line.startswith("#")] or [*lines, ""]
    return telling[0] if len(telling[0]) <= _LINE else telling[0][: _LINE - 3] + "..."


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
