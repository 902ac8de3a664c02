"""What a finished notebook run consists of: canonical notebook, evidence, status."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from nbsrc.building.canonical import canonicalise, to_text
from nbsrc.building.source import Source
from nbsrc.files import write_json_atomic, write_text_atomic


def complete_run(
    source: Source, parameters: dict[str, Any], work: Path, copy: Path, seconds: float
) -> None:
    """Write everything a finished run consists of into its folder.

    Args:
        source: The parsed notebook.
        parameters: All parameters.
        work: Folder of the run, with the evidence files in ``evidence``.
        copy: Executed notebook as papermill wrote it.
        seconds: How long it took.
    """
    document = json.loads(copy.read_text(encoding="utf-8"))
    checks = _read_evidence(work / "evidence")
    common = {
        "notebook": source.stem,
        "tier": parameters.get("tier"),
        "seed": parameters.get("seed"),
    }
    write_text_atomic(work / "notebook.ipynb", to_text(canonicalise(document)))
    # readers see the entries of a check in the order in which it gave them
    write_json_atomic(work / "evidence.json", {**common, "checks": checks}, sort_keys=False)
    status = {
        **common,
        "title": source.title,
        "seconds": seconds,
        "code_cells": len(source.code),
        "checks_passed": _passed(checks),
        "checks_total": len(checks),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "environment": _versions(),
    }
    write_json_atomic(work / "status.json", status)


def _read_evidence(folder: Path) -> dict[str, Any]:
    records = [
        json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))
    ]
    return {record["id"]: record for record in records}


def _passed(checks: Mapping[str, Any]) -> int:
    """Count the checks whose evidence agrees with the ledger.

    Args:
        checks: Claim id and evidence.

    Returns:
        How many agree; the ledger rule reports those that do not.
    """
    if not checks:
        return 0
    from nbsrc import claims
    from nbsrc.claims.consistency import evidence_problems

    return sum(not evidence_problems(claims.row(name), record) for name, record in checks.items())


def _versions() -> dict[str, Any]:
    packages: dict[str, str | None] = {}
    for name in ("torch", "numpy"):
        try:
            packages[name] = version(name)
        except PackageNotFoundError:
            packages[name] = None
    return {
        "python": platform.python_version(),
        **packages,
        "platform": platform.platform(terse=True),
        "cpu_count": os.cpu_count(),
    }
