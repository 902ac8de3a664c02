"""The benchmark runs, prints its table and writes its results."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from benchmarks.__main__ import TARGET_RATIO, main, summary_lines
from benchmarks.operator_norm import ACCURACY as NORM_ACCURACY
from benchmarks.operator_norm import TARGET_ENUMERATION, operator_norm_lines
from benchmarks.perturbation import (
    ACCURACY,
    SIZES,
    TARGET_CURVATURE,
    curvature_lines,
    curvature_row,
)
from nbsrc.files import project_root

SMALL = (3, 3, 2, 4)


def test_the_benchmark_prints_and_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("benchmarks.__main__.TABLE1_KERNELS", (SMALL,))
    monkeypatch.setattr("benchmarks.perturbation.SIZES", (20,))
    monkeypatch.setattr("benchmarks.operator_norm.SIDE", 4)
    monkeypatch.setattr("benchmarks.operator_norm.INPUTS", 30)
    output = tmp_path / "bench.json"
    threads = torch.get_num_threads()
    options = ["--evaluations", "1", "--iterations", "2", "--threads", "1"]
    options += ["--only", "norms", "curvature", "operator_norms"]  # others have tests of their own
    assert main([*options, "--output", str(output)]) == 0
    assert torch.get_num_threads() == threads
    printed = capsys.readouterr().out
    assert "layer_norms of ResNet-18, 41 layers" in printed
    assert "(3, 3, 2, 4)" in printed
    written = json.loads(output.read_text())
    assert [row["kernel"] for row in written["table1"]] == [list(SMALL)]
    assert written["provenance"]["threads"] == 1
    (curvature,) = written["curvature"]
    assert curvature["inputs"] == 20
    assert curvature["dense_relative_difference"] < 1e-12
    assert (
        curvature["power_relative_error"] <= ACCURACY < curvature["power_relative_error_after_10"]
    )
    assert set(curvature["timings"]) == {"exact", "dense", "power_iteration", "batch"}
    norms = written["operator_norms"]
    assert [row["exact"] for row in norms["enumeration"]] == [True, True, False]
    assert norms["power_method"]["relative_error"] <= NORM_ACCURACY
    assert norms["power_method"]["inputs"] == 48
    cost = norms["power_method"]["forward_passes"]
    assert cost["forward_pass"] == 1
    assert cost["power_method"] > cost["forward_product"] > 0


def test_the_recorded_curvature_times_are_of_this_benchmark() -> None:
    recorded = json.loads((project_root() / "results" / "D_curvature_times.json").read_text())
    assert tuple(row["inputs"] for row in recorded["curvature"]) == SIZES
    for row in recorded["curvature"]:
        assert row["dense_relative_difference"] < 1e-12
        assert row["power_relative_error"] <= ACCURACY
        ratio = row["timings"]["dense"]["median"] / row["timings"]["exact"]["median"]
        assert row["ratios"]["dense_to_exact"] == pytest.approx(ratio, rel=1e-3)
        assert ratio >= TARGET_CURVATURE


def test_a_missed_curvature_target_is_called_missed() -> None:
    row = curvature_row(12, 1, 1.0)
    words = []
    for ratio in (TARGET_CURVATURE, TARGET_CURVATURE * 0.99):
        row["ratios"]["dense_to_exact"] = ratio
        words.append("missed" in curvature_lines([row])[-1])
    assert words == [False, True]


def test_a_missed_target_is_called_missed() -> None:
    def results(ratio: float, seconds: float) -> dict[str, object]:
        row = {"megabytes": 2.0, "ratios": {"l1_to_limit": ratio, "linf_to_limit": 1.0}}
        resnet = {"layers": 41, "timing": {"median": seconds}}
        return {"table1": [row], "layer_norms_resnet18": resnet}

    words = [line.rsplit(": ", 1)[1] for line in summary_lines(results(TARGET_RATIO * 1.1, 1.0))]
    assert words == ["missed)", "met)", "missed)"]
    words = [line.rsplit(": ", 1)[1] for line in summary_lines(results(TARGET_RATIO, 0.01))]
    assert words == ["met)", "met)", "met)"]


def test_a_missed_operator_norm_target_is_called_missed() -> None:
    def lines(seconds: float, error: float) -> list[str]:
        row = {"orders": ["inf", "1"], "shape": [2, 3], "exact": True}
        names = ("forward_product", "backward_product", "power_method", "jacobian_and_svd")
        power = {
            "inputs": 3, "steps": 2, "relative_error": error,
            "timings": {"power_method": {"median": 1.0}},
            "forward_passes": dict.fromkeys(names, 2.0),
        }  # fmt: skip
        enumeration = [{**row, "timing": {"median": seconds}}]
        return operator_norm_lines({"enumeration": enumeration, "power_method": power})

    met = lines(TARGET_ENUMERATION, NORM_ACCURACY)
    missed = lines(1.01 * TARGET_ENUMERATION, 1.01 * NORM_ACCURACY)
    assert ["missed" in line for line in met] == [False] * 4
    assert ["missed" in line for line in missed] == [False, True, True, False]
