"""A folder with one JSON per run: what is finished stays finished, whatever is killed."""

from __future__ import annotations

import hashlib
import io
import json
import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock, Timeout
from torch import nn

from nbsrc.files import project_root, write_bytes_atomic, write_json_atomic

__all__ = ["RunStore", "code_digest"]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RunStore:
    """Where the runs of one experiment at one tier lie.

    Attributes:
        folder: The folder; it is made when something is written.
        code: Digest of the code that a stored run must have been made by; None for any.
    """

    folder: Path
    code: str | None = None

    def record(self, name: str) -> Path:
        """Return the file of a run's record.

        Args:
            name: The run's name: slug and seed.

        Returns:
            The path.
        """
        return self.folder / f"{name}.json"

    def weights(self, name: str) -> Path:
        """Return the file of a run's final weights.

        Args:
            name: The run's name.

        Returns:
            The path.
        """
        return self.folder / f"{name}.weights.pt"

    def checkpoint(self, name: str, identity: str) -> Path:
        """Return the file from which a killed run goes on.

        Args:
            name: The run's name.
            identity: The run's identity: a changed run starts anew, and so does changed code where
                it matters.

        Returns:
            The path.
        """
        whole = hashlib.sha256(f"{identity} {self.code}".encode()).hexdigest()
        return self.folder / f"{name}.{whole[:12]}.checkpoint"

    def finished(self, name: str, identity: str) -> dict[str, Any] | None:
        """Return the record of a run if it is finished and still fits.

        Args:
            name: The run's name.
            identity: The run's identity.

        Returns:
            The record; None if there is none, or it is of another identity or other code.
        """
        path = self.record(name)
        if not path.is_file():
            return None
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except ValueError:
            log.warning("%s is not JSON: running again", path.name)
            return None
        if not isinstance(found, dict) or found.get("identity") != identity:
            log.warning("%s is of another experiment file: running again", path.name)
            return None
        if self.code is not None and found.get("code") != self.code:
            log.info("%s was made by other code: running again", path.name)
            return None
        return found

    def keep(self, name: str, record: Mapping[str, Any], model: nn.Module | None) -> None:
        """Store a finished run, the record last: it says that the run is finished.

        Args:
            name: The run's name.
            record: Its record.
            model: The network whose weights are kept, or None.
        """
        if model is None:
            self.weights(name).unlink(missing_ok=True)
        else:
            stream = io.BytesIO()
            torch.save(model.state_dict(), stream)
            write_bytes_atomic(self.weights(name), stream.getvalue())
        write_json_atomic(self.record(name), record)
        for leftover in self.folder.glob(f"{name}.*.checkpoint"):
            leftover.unlink(missing_ok=True)

    @contextmanager
    def claimed(self, name: str, *, wait: bool) -> Iterator[bool]:
        """Hold a run for this process; the system lets go of it when the process dies.

        Args:
            name: The run's name.
            wait: Whether to wait for a process that holds it.

        Yields:
            Whether this process holds it now.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.folder / f"{name}.lock")
        try:
            lock.acquire(timeout=-1 if wait else 0)
        except Timeout:
            yield False
            return
        try:
            yield True
        finally:
            lock.release()


@cache
def code_digest() -> str:
    """Return a digest of the source files that an experiment's numbers can depend on.

    Returns:
        SHA-256 of names and contents of the modules that this package imports, and of the pinned
        versions.
    """
    from nbsrc.building.dependencies import DependencyScan

    root = project_root()
    files = DependencyScan(root / "nbsrc").of_modules(["nbsrc.experiments"])
    sha = hashlib.sha256()
    for path in [*files, root / "constraints.txt"]:
        sha.update(os.fsencode(path.relative_to(root).as_posix()))
        sha.update(path.read_bytes())
    return sha.hexdigest()
