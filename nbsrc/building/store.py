"""Finished notebook runs, kept by the digest of everything they depend on.

Snakemake deletes the outputs of a job that it finds incomplete, and a build may be killed at any
moment. A run that once finished lies here as a whole folder, so that doing it again is a copy.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nbsrc.files import copy_if_changed, replace_folder

KEPT = 4  # finished runs kept per notebook, so that going back to another tier is cheap


def digest(files: Iterable[Path], root: Path, values: Mapping[str, Any]) -> str:
    """Digest names and contents of files together with plain values.

    Args:
        files: Files below ``root``, in any order.
        root: Folder that the names are relative to, so that a moved project keeps its digests.
        values: Whatever else counts, as JSON.

    Returns:
        A hexadecimal digest.
    """
    total = hashlib.sha256(json.dumps(values, sort_keys=True).encode())
    for path in sorted(set(files)):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        total.update(f"{os.path.relpath(path, root)}\0{content}\n".encode())
    return total.hexdigest()[:32]


@dataclass(frozen=True)
class Targets:
    """Where the outputs of a notebook run go.

    Attributes:
        output: Executed notebook.
        evidence: Evidence of its checks.
        status: Times and environment.
        figure_data: Folder of the figures' data.
    """

    output: Path
    evidence: Path
    status: Path
    figure_data: Path


class FinishedRuns:
    """The finished runs of one notebook.

    Args:
        folder: Where they are kept.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def find(self, key: str) -> Path | None:
        """Look for a finished run.

        Args:
            key: Digest of everything it depends on.

        Returns:
            Its folder, or None.
        """
        entry = self.folder / key
        return entry if entry.is_dir() else None

    def workspace(self) -> Path:
        """Make an empty folder for a new run; leftovers of killed runs are removed.

        Returns:
            The folder, on the same file system as the finished runs.
        """
        work = self.folder / ".unfinished"
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        return work

    def add(self, work: Path, key: str) -> Path:
        """Keep a complete run under its digest, in one step, and drop the oldest ones.

        Args:
            work: Folder from `workspace` that now holds everything.
            key: Digest of everything it depends on.

        Returns:
            The folder of the finished run.
        """
        entry = self.folder / key
        replace_folder(work, entry)
        runs = [run for run in self.folder.iterdir() if not run.name.startswith(".")]
        runs.sort(key=lambda run: run.stat().st_mtime, reverse=True)
        for old in runs[KEPT:]:
            shutil.rmtree(old, ignore_errors=True)
        return entry


def publish(entry: Path, targets: Targets) -> None:
    """Copy a finished run to where the build expects it, each file in one step.

    Args:
        entry: Folder of the finished run.
        targets: Where to.
    """
    _publish_folder(entry / "figure_data", targets.figure_data)
    copy_if_changed(entry / "evidence.json", targets.evidence)
    copy_if_changed(entry / "status.json", targets.status)
    copy_if_changed(entry / "notebook.ipynb", targets.output)


def _publish_folder(source: Path, target: Path) -> None:
    if target.is_dir() and _contents(source) == _contents(target):
        return
    fresh = target.with_name(f".{target.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.parent.mkdir(parents=True, exist_ok=True)
    shutil.copytree(source, fresh)
    replace_folder(fresh, target)


def _contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }
