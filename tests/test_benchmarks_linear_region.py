"""The benchmark of linear regions runs, and its recorded times are of this benchmark."""

from __future__ import annotations

import json

from benchmarks.linear_region import (
    INPUTS,
    SAMPLES,
    jacobian_row,
    lenet_float32,
    linear_region_lines,
    segment_row,
)
from nbsrc.files import project_root


def test_rows_and_lines() -> None:
    rows = {
        "jacobian": [jacobian_row(1, 1, 1.0, pixels=8)],
        "segment": segment_row(lenet_float32(), 1, 1.0),
    }
    assert rows["jacobian"][0]["forward_passes"] > 1
    found = [entry["regions"] for entry in rows["segment"]["sampled"]]
    assert found == sorted(found)
    assert found[-1] <= rows["segment"]["regions"]
    assert rows["segment"]["timing"]["median"] < 1
    lines = linear_region_lines(rows)
    assert len(lines) == 2 + len(SAMPLES)
    slow = {**rows["jacobian"][0], "forward_passes": 15.5}
    assert "missed" in linear_region_lines({**rows, "jacobian": [slow]})[0]


def test_the_recorded_times_are_of_this_benchmark() -> None:
    recorded = json.loads(
        (project_root() / "results" / "C_linear_region_times.json").read_text(encoding="utf-8")
    )
    assert {"recorded", "versions", "processor", "threads"} <= set(recorded["provenance"])
    rows = recorded["linear_region"]
    assert [row["batch"] for row in rows["jacobian"]] == [8, 64]
    assert all(row["timings"]["jacobian"]["repeats"] >= 3 for row in rows["jacobian"])
    assert rows["segment"]["inputs"] == INPUTS
    assert [entry["points"] for entry in rows["segment"]["sampled"]] == list(SAMPLES)
