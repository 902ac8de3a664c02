"""Snakemake's events as short lines: which job, why, how many of how many, how long.

The module has the shape of a Snakemake logger plug-in (a class ``LogHandler``); the build command
registers it under the name ``nbsrc``.
"""

from __future__ import annotations

import logging
import re
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, TextIO

from snakemake_interface_logger_plugins.base import LogHandlerBase
from snakemake_interface_logger_plugins.common import LogEvent

_EVERY = 20.0  # seconds between two signs of life of running jobs
_SHOWN_FILES = 3
_MISSING = "Missing output files"
_PARAMETERS_PREFIX = "Union of exclusive params before and now across all output: "
_REASONS = {
    _MISSING: "outputs missing",
    "Input files updated by another job": "made anew",
    "Updated input files": "changed",
    "Code has changed since last execution": "its rule changed",
    "Params have changed since last execution": "parameters changed",
    "Set of input files has changed since last execution": "other inputs than before",
}
# a job's own process has printed what failed, these lines only say that a command failed
_REPEATED = re.compile(
    r"CalledProcessError in|Exiting because a job execution failed|"
    r"Shutting down, this might take some time|At least one job did not complete"
)


@dataclass
class _Job:
    name: str
    start: float = field(default_factory=time.monotonic)
    shown: float = field(default_factory=time.monotonic)


class LogHandler(LogHandlerBase):
    """Writes a line when a job starts, every 20 seconds, and when it ends."""

    finished: ClassVar[list[str]] = []  # Snakemake makes the handler, we read this afterwards
    stream: TextIO | None = None
    logs: Path = Path("build/logs")

    def __post_init__(self) -> None:
        """Set up the state; Snakemake calls this."""
        self.total = 0
        self.done = 0
        self.failed: list[str] = []
        self.jobs: dict[int, _Job] = {}
        self._lock = threading.Lock()
        self._stop = threading.Event()
        threading.Thread(target=self._tick, daemon=True).start()

    def emit(self, record: logging.LogRecord) -> None:
        """Turn one of Snakemake's records into at most one line.

        Args:
            record: The record.
        """
        event = getattr(record, "event", None)
        with self._lock:
            if event == LogEvent.RUN_INFO:
                self.total = int(record.stats["total"]) - 1  # type: ignore[attr-defined]
            elif event == LogEvent.JOB_INFO:
                self._started(record)
            elif event == LogEvent.JOB_FINISHED:
                self._finished(record)
            elif event == LogEvent.JOB_ERROR:
                self._failed(record)
            elif event in (None, LogEvent.ERROR) and record.levelno >= logging.WARNING:
                self._other(record)

    def close(self) -> None:
        """Stop the signs of life and close the handler."""
        self._stop.set()
        super().close()

    def _started(self, record: logging.LogRecord) -> None:
        job = _Job(_name(record))
        self.jobs[record.jobid] = job  # type: ignore[attr-defined]
        if job.name != "all":
            self._write(f"        {job.name}: {_reason(record)}")

    def _finished(self, record: logging.LogRecord) -> None:
        job = self.jobs.pop(record.job_id, None)  # type: ignore[attr-defined]
        if job is not None and job.name != "all":
            self.done += 1
            self.finished.append(job.name)
            self._write(f"[{self.done}/{self.total}] {job.name}: {_took(job)}")

    def _failed(self, record: logging.LogRecord) -> None:
        job = self.jobs.pop(record.jobid, None)  # type: ignore[attr-defined]
        if job is not None:
            self.failed.append(job.name)
            self._write(f"FAILED  {job.name} after {_took(job)}")

    def _other(self, record: logging.LogRecord) -> None:
        text = record.getMessage().strip()
        if text and text != "None" and not _REPEATED.search(text):
            self._write(text)

    def _tick(self) -> None:
        while not self._stop.wait(1.0):
            with self._lock:
                for job in self.jobs.values():
                    if time.monotonic() - job.shown >= _EVERY:
                        job.shown = time.monotonic()
                        self._write(f"        {job.name}: {_took(job)} so far{self._place(job)}")

    def _place(self, job: _Job) -> str:
        """Say where a notebook is, from its log.

        Args:
            job: A running job.

        Returns:
            Its current cell, or nothing.
        """
        kind, _, stem = job.name.partition(" ")
        log = self.logs / f"{stem}.log"
        if kind != "notebook" or not log.is_file():
            return ""
        cells = [line for line in log.read_text(encoding="utf-8").splitlines() if "] cell " in line]
        return ", " + cells[-1].split("] ", 1)[1] if cells else ""

    def _write(self, line: str) -> None:
        stream = self.stream or sys.stderr
        stream.write(line + "\n")
        stream.flush()

    @property
    def writes_to_stream(self) -> bool:
        """Whether it replaces Snakemake's own terminal output."""
        return True

    @property
    def writes_to_file(self) -> bool:
        """Whether it writes to a file."""
        return False

    @property
    def has_filter(self) -> bool:
        """Whether it chooses the records itself."""
        return True

    @property
    def has_formatter(self) -> bool:
        """Whether it formats the records itself."""
        return True

    @property
    def needs_rulegraph(self) -> bool:
        """Whether it needs the graph of rules."""
        return False


def _name(record: logging.LogRecord) -> str:
    wildcards = dict(getattr(record, "wildcards", None) or {})
    return " ".join([str(getattr(record, "rule_name", "?")), *map(str, wildcards.values())])


def _reason(record: logging.LogRecord) -> str:
    """Say in few words why a job runs.

    Args:
        record: Snakemake's record of the job.

    Returns:
        Its reasons, the files of each shortened to the first few.
    """
    parts = [part for part in str(getattr(record, "reason", "")).split("; ") if part.strip()]
    if any(part.startswith(_MISSING) for part in parts):
        return _REASONS[_MISSING]  # whatever else changed, this alone decides
    return "; ".join(_short(part) for part in parts) or "asked for"


def _short(reason: str) -> str:
    kind, _, rest = re.sub(r"\s+", " ", reason).strip().partition(": ")
    words = _REASONS.get(kind, kind)
    rest = rest.removeprefix(_PARAMETERS_PREFIX)
    files = rest.split(", ") if rest and kind != _MISSING else []
    shown = ", ".join(files[:_SHOWN_FILES])
    more = f" and {len(files) - _SHOWN_FILES} more" if len(files) > _SHOWN_FILES else ""
    return f"{words}: {shown}{more}" if files else words


def _took(job: _Job) -> str:
    return f"{time.monotonic() - job.start:.0f} s"
