"""Wall times of builds, in build/times.json: what the last build of each sort took."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from nbsrc.files import write_json_atomic


def sort_of_build(finished: Sequence[str], *, fresh: bool) -> str | None:
    """Say which of the recorded times a build measures.

    Args:
        finished: Names of the jobs it finished, such as ``notebook 01_layer_norms``.
        fresh: Whether there was nothing of an earlier build.

    Returns:
        ``fresh_build_s``, ``noop_s``, ``one_notebook_s``, or None for anything between.
    """
    if fresh:
        return "fresh_build_s"
    if not finished:
        return "noop_s"
    kinds = sorted(name.partition(" ")[0] for name in finished)
    return "one_notebook_s" if kinds == ["book", "ledger", "notebook"] else None


def record_time(root: Path, sort: str | None, seconds: float) -> None:
    """Record what a build took; a fresh one includes the installation of the environment.

    Args:
        root: The project.
        sort: From `sort_of_build`.
        seconds: Wall time.
    """
    if sort is None:
        return
    path = root / "build" / "times.json"
    times = _read(path)
    if sort == "fresh_build_s":
        install = _read(root / ".venv" / "nbsrc-environment.json").get("seconds") or 0.0
        times["fresh_install_s"] = install
        seconds += float(install)
    times[sort] = round(seconds, 1)
    write_json_atomic(path, times)


def _read(path: Path) -> dict[str, float]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
