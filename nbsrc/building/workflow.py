"""The build command: one Snakemake run under a lock, started clean and reported briefly."""

from __future__ import annotations

import base64
import binascii
import json
import logging
import os
import shutil
import time
from collections.abc import Sequence
from pathlib import Path

from nbsrc.building.book import recover_book
from nbsrc.building.layout import TIERS, Layout
from nbsrc.building.processes import exclusive, name_build
from nbsrc.building.times import record_time, sort_of_build

_LOG = logging.getLogger(__name__)
_KEPT_LOGS = 20
STAMP = "build/html.json"


def build(
    layout: Layout,
    *,
    targets: Sequence[str] = (),
    tier: str = "book",
    seed: int = 0,
    cores: int | None = None,
    further: Sequence[str] = (),
) -> bool:
    """Bring the book, or other targets of the Snakefile, up to date.

    Args:
        layout: The project.
        targets: Files or rules of the Snakefile; the whole book when empty.
        tier: Size of the experiments.
        seed: Seed that the notebooks get.
        cores: Processor cores to use; those this process may use when None.
        further: Arguments handed on to Snakemake as they are, for example an executor.

    Returns:
        Whether everything that was asked for is now up to date.

    Raises:
        ValueError: If the tier is unknown, or a notebook, a module or the ledger cannot be read.
    """
    start = time.monotonic()
    with exclusive(layout.root / ".snakemake" / "nbsrc-build.lock") as waited:
        if waited:
            _LOG.info("waited for another build of this folder")
        check_sources(layout, tier)
        prepare(layout)
        name_build()
        arguments = [
            "--snakefile", str(layout.root / "Snakefile"),
            "--directory", str(layout.root),
            "--cores", str(cores or _available_cores()),
            "--keep-going", "--rerun-incomplete", "--nolock",
            "--rerun-triggers", "code", "input", "mtime", "params",
            "--config", f"tier={tier}", f"seed={seed}",
            "--logger", "nbsrc",
            *further,
            *(["--", *targets] if targets else []),
        ]  # fmt: skip
        fresh = not (layout.build / "finished").exists()
        finished = _snakemake(arguments)
    seconds = time.monotonic() - start
    if finished is not None and not targets:
        record_time(layout.root, sort_of_build(finished, fresh=fresh), seconds)
    _LOG.info("%s in %.1f s", "FAILED" if finished is None else "up to date", seconds)
    return finished is not None


def check_sources(layout: Layout, tier: str) -> None:
    """Read all sources before anything runs, so that a broken one is named and stops the build.

    Args:
        layout: The project.
        tier: Size of the experiments.

    Raises:
        ValueError: If the tier is unknown, or a notebook, a module or the ledger cannot be read.
    """
    if tier not in TIERS:
        raise ValueError(f"tier must be one of {', '.join(TIERS)}, got {tier!r}")
    try:
        for source in layout.sources().values():
            layout.files_of(source, tier)
            layout.rows_of(source)
    except SyntaxError as error:
        place = f"{error.filename}, line {error.lineno}" if error.filename else "a module"
        raise ValueError(f"{place}: not valid Python: {error.msg}") from error


def prepare(layout: Layout) -> None:
    """Remove what a killed build or a renamed source left behind.

    Args:
        layout: The project.
    """
    recover_book(layout)
    if not (layout.html / "index.html").is_file():
        (layout.root / STAMP).unlink(missing_ok=True)
    stems = {path.stem for path in layout.notebooks}
    notebooks = layout.root / "book" / "notebooks"
    outputs = [
        *notebooks.glob("*.ipynb"),
        *(notebooks / "figure_data").glob("[!.]*"),
        *(layout.build / "evidence").glob("*.json"),
        *(layout.build / "status").glob("*.json"),
        *(layout.build / "finished").glob("[!.]*"),
    ]
    for path in outputs:
        if path.stem not in stems:
            _remove(path)
    _discard_broken_records(layout.root)
    logs = sorted((layout.root / ".snakemake" / "log").glob("*.log"))
    for path in logs[:-_KEPT_LOGS]:
        path.unlink(missing_ok=True)


def _discard_broken_records(root: Path) -> None:
    """Remove outputs whose record Snakemake was writing when it was killed.

    It ignores such a record, and would then no longer see that the output's parameters changed.

    Args:
        root: The project.
    """
    metadata = root / ".snakemake" / "metadata"
    for path in metadata.glob("*"):
        if not path.is_file():
            continue
        try:
            json.loads(path.read_text(encoding="utf-8"))
        except ValueError:
            path.unlink()
            try:
                name = base64.urlsafe_b64decode(path.name).decode()
            except (binascii.Error, ValueError):
                continue
            _LOG.info("%s: its record is broken, it is made again", name)
            _remove(root / name)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _snakemake(arguments: list[str]) -> list[str] | None:
    """Run Snakemake in this process, with progress lines of our own.

    Args:
        arguments: Its command line.

    Returns:
        Names of the jobs that finished, or None when one failed.
    """
    from snakemake import cli
    from snakemake_interface_logger_plugins.registry import LoggerPluginRegistry

    from nbsrc.building import progress

    LoggerPluginRegistry().register_plugin("nbsrc", progress)
    progress.LogHandler.finished.clear()
    try:
        cli.main(arguments)
    except SystemExit as end:
        if end.code:
            return None
    return list(progress.LogHandler.finished)


def _available_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
