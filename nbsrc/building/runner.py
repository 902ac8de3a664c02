"""Running one notebook: parameters checked, time limited, outputs complete or absent."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nbsrc.building.execute import first_line
from nbsrc.building.finish import complete_run
from nbsrc.building.layout import Layout
from nbsrc.building.parameters import check_parameters
from nbsrc.building.processes import (
    ProcessTimeoutError,
    exclusive,
    run_supervised,
)
from nbsrc.building.source import Source, read_source
from nbsrc.building.store import FinishedRuns, Targets, digest, publish
from nbsrc.files import write_json_atomic

# matplotlib and others write this date into files instead of today's (1 January 2026, UTC)
_SOURCE_DATE = "1767225600"
_THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)


class NotebookError(RuntimeError):
    """A notebook failed; the message names the cell and the error."""


@dataclass(frozen=True)
class Request:
    """What to run and where the outputs go.

    Attributes:
        notebook: Source notebook.
        parameters: All parameters, ``tier`` and ``seed`` among them.
        targets: Places of the outputs.
        log: Per-cell log; the partly executed copy of a failure lies beside it.
        timeout: Seconds for the whole run.
        threads: Threads of the numerical libraries.
    """

    notebook: Path
    parameters: Mapping[str, Any]
    targets: Targets
    log: Path
    timeout: float
    threads: int = 1


def run_notebook(layout: Layout, request: Request) -> str:
    """Run a notebook, or take the finished run of the same inputs.

    Args:
        layout: The project.
        request: What to run.

    Returns:
        One line that says what was done.

    Raises:
        NotebookError: If a cell failed or the time was up.
        FileNotFoundError: If a training run it needs is missing.
    """
    source = read_source(request.notebook)
    parameters = check_parameters(source, request.parameters)
    tier = str(parameters.get("tier", "book"))
    with exclusive(layout.build / "locks" / f"{source.stem}.lock"):
        files = layout.files_of(source, tier)
        for path in files:
            if not path.is_file():
                missing = path.relative_to(layout.root)
                raise FileNotFoundError(
                    f"{source.path.name} needs {missing}, which is missing: "
                    f"`python -m nbsrc build {missing} --tier {tier}` makes it"
                )
        values = {"parameters": parameters, "rows": layout.rows_of(source)}
        key = digest(files, layout.root, values)
        finished = FinishedRuns(layout.build / "finished" / source.stem)
        entry = finished.find(key)
        if entry is None:
            work = finished.workspace()
            _execute(layout, request, source, parameters, work)
            entry = finished.add(work, key)
            done = "executed"
        else:
            done = "same inputs as a finished run, which was taken"
        publish(entry, request.targets)
    return f"{source.stem}: {done}"


def _execute(
    layout: Layout, request: Request, source: Source, parameters: dict[str, Any], work: Path
) -> None:
    """Execute a notebook into a folder that then holds everything a finished run has.

    Args:
        layout: The project.
        request: What to run.
        source: The parsed notebook.
        parameters: All parameters.
        work: Empty folder.

    Raises:
        NotebookError: If a cell failed or the time was up.
    """
    scratch = {name: work / name for name in ("cwd", "evidence", "figure_data")}
    for folder in scratch.values():
        folder.mkdir()
    copy = request.log.with_suffix(".ipynb")
    copy.parent.mkdir(parents=True, exist_ok=True)
    copy.unlink(missing_ok=True)
    outcome_file = work / "outcome.json"
    job = {
        "source": str(source.path.resolve()),
        "copy": str(copy.resolve()),
        "log": str(request.log.resolve()),
        "folder": str(scratch["cwd"]),
        "parameters": parameters,
        "cells": len(source.code),
        "outcome": str(outcome_file),
    }
    write_json_atomic(work / "job.json", job)
    environment = _environment(layout, request, source, parameters, scratch)
    command = [sys.executable, "-m", "nbsrc.building.execute", str(work / "job.json")]
    output = request.log.with_suffix(".output.log")
    try:
        with output.open("w", encoding="utf-8") as stream:
            run_supervised(
                command, seconds=request.timeout, env=environment, stdout=stream, stderr=stream
            )
    except ProcessTimeoutError as error:
        raise NotebookError(_timeout_message(source, request, copy, error)) from None
    if not outcome_file.is_file():
        raise NotebookError(f"{source.stem}: the executing process died, see {output}")
    outcome = json.loads(outcome_file.read_text(encoding="utf-8"))
    if outcome["error"] is not None:
        raise NotebookError(_failure_message(source, request, copy, outcome["error"]))
    complete_run(source, parameters, work, copy, outcome["seconds"])
    for leftover in (copy, output):
        leftover.unlink(missing_ok=True)


def _environment(
    layout: Layout,
    request: Request,
    source: Source,
    parameters: dict[str, Any],
    scratch: dict[str, Path],
) -> dict[str, str]:
    environment = dict(os.environ)
    environment.pop("MPLBACKEND", None)  # else figures would not be shown inline
    environment |= dict.fromkeys(_THREAD_VARIABLES, str(request.threads))
    return environment | {
        "NBSRC_EVIDENCE_DIR": str(scratch["evidence"]),
        "NBSRC_FIGURE_DATA_DIR": str(scratch["figure_data"]),
        "NBSRC_NOTEBOOK": source.stem,
        "NBSRC_RUNS_DIR": str(layout.build / "runs" / str(parameters.get("tier", "book"))),
        "PYTHONHASHSEED": "0",
        "SOURCE_DATE_EPOCH": _SOURCE_DATE,
        "CUBLAS_WORKSPACE_CONFIG": ":4096:8",  # read only before CUDA starts
        "IPYTHONDIR": str(layout.build / "ipython"),  # nobody's start-up files
        "JUPYTER_PREFER_ENV_PATH": "1",  # the kernel of this environment, not the user's
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
    }


def _failure_message(source: Source, request: Request, copy: Path, error: dict[str, Any]) -> str:
    return (
        f"notebook {source.stem} failed in code cell {error['cell']}: {error['line']}\n"
        f"    {error['name']}: {error['value']}\n"
        f"    partly executed copy: {_shown(copy)}, log: {_shown(request.log)}"
    )


def _timeout_message(
    source: Source, request: Request, copy: Path, error: ProcessTimeoutError
) -> str:
    lines = request.log.read_text(encoding="utf-8").splitlines() if request.log.is_file() else []
    place = lines[-1].split("] ", 1)[-1] if lines else "before the first cell"
    return (
        f"notebook {source.stem} was {error} (its limit), at {first_line(place)}\n"
        f"    partly executed copy: {_shown(copy)}, log: {_shown(request.log)}"
    )


def _shown(path: Path) -> str:
    try:
        return path.resolve().relative_to(Path.cwd()).as_posix()
    except ValueError:
        return str(path)
