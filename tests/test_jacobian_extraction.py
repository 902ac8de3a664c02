"""The benchmark of Jacobian extraction, on a small network, and the record that the book reads."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import jacobian_extraction as bench
from nbsrc.files import project_root


def test_it_writes_errors_and_times(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bench, "WIDTHS", (12, 8, 3))
    target = tmp_path / "times.json"
    assert bench.main(["--output", str(target), "--evaluations", "2", "--budget", "5"]) == 0
    written = json.loads(target.read_text())
    assert written["options"]["widths"] == [12, 8, 3]
    assert all(row["error"] < 1e-5 for row in written["extraction"])
    assert capsys.readouterr().out.count("relative error") == len(written["extraction"]) == 5


def test_the_record_is_of_this_benchmark() -> None:
    recorded = json.loads((project_root() / "results" / "B_jacobian_times.json").read_text())
    assert tuple(recorded["options"]["widths"]) == bench.WIDTHS
    assert recorded["options"]["noise"] == bench.NOISE
    assert recorded["provenance"]["threads"] == 1
    times = {row["method"]: row["timing"]["median"] for row in recorded["extraction"]}
    assert times["product of masked matrices"] < times["regression, frozen"]
    assert all(row["error"] < 2e-6 for row in recorded["extraction"])
