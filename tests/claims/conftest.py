"""Small ledgers for the tests: claims files, evidence and records made of plain mappings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from nbsrc.claims.rows import Row


@pytest.fixture
def raw_row():
    """Return a function that makes a well-formed row as the YAML would hold it."""

    def make(name: str = "A.one", **changes: Any) -> dict[str, Any]:
        row = {
            "id": name,
            "where": "Theorem 1",
            "kind": "theorem",
            "statement": "The norm $|x|_1$ is finite.",
            "assumptions": "none beyond the setting",
            "reproduce": "Try it.",
            "cost": "seconds CPU",
            "verdict": "not-tested",
            "reason": "Later.",
        }
        row.update(changes)
        return {key: value for key, value in row.items() if value is not None}

    return make


@pytest.fixture
def tested_row(raw_row):
    """Return a function that makes a row with a verdict, as `Row`."""

    def make(verdict: str = "holds", name: str = "A.one", **changes: Any) -> Row:
        changes = {"notebook": "01_demo", "reason": None, **changes}
        return Row(**raw_row(name, verdict=verdict, **changes))

    return make


@pytest.fixture
def finding():
    """Return a function that makes the record of a finding."""

    def make(**changes: Any) -> dict[str, Any]:
        values = {"holds": True, "worst_slack": 0.0, "trials": 10}
        return {**values, "counterexample": None, "family": "", **changes}

    return make


@pytest.fixture
def record(finding):
    """Return a function that makes a record of evidence on which every rule is kept."""

    def make(name: str = "A.one", **changes: Any) -> dict[str, Any]:
        return {
            "id": name,
            "notebook": "01_demo",
            "tolerance": 1e-10,
            "literal": finding(),
            "corrected": None,
            "controls": [{"name": "break it", "broke": True, "detail": ""}],
            "measured": {},
            "outcome": None,
            "seconds": 0.1,
            "anchor": f"check-{name}",
            **changes,
        }

    return make


@pytest.fixture
def project(tmp_path: Path, raw_row):
    """Return a function that writes a project folder with one paper and its evidence."""

    def write(rows: list[dict[str, Any]], checks: dict[str, dict[str, Any]]) -> Path:
        (tmp_path / "claims").mkdir(exist_ok=True)
        document = {"paper": "Demo, A Paper, 2020", "short": "Demo 2020", "claims": rows}
        text = yaml.safe_dump(document, sort_keys=False)
        (tmp_path / "claims" / "A.yml").write_text(text, encoding="utf-8")
        evidence = tmp_path / "build" / "evidence"
        evidence.mkdir(parents=True, exist_ok=True)
        for notebook, found in checks.items():
            content = {"notebook": notebook, "tier": "book", "seed": 0, "checks": found}
            (evidence / f"{notebook}.json").write_text(json.dumps(content), encoding="utf-8")
        return tmp_path

    return write
