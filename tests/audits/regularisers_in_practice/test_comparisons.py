"""Paired comparisons, comparisons at equal clean accuracy, and bounds for points not found."""

from __future__ import annotations

import copy
import math
from typing import Any

import pytest

from nbsrc.audits.regularisers_in_practice import changed, comparisons
from nbsrc.audits.regularisers_in_practice.records import ATTACKS, NETS, PENALTIES, runs_of
from nbsrc.experiments import load_recorded


def run(net: str, penalty: str | None, strength: float, seed: int, robust: float) -> dict:
    measures: dict[str, Any] = {attack: {entry: robust} for attack, entry in ATTACKS.items()}
    for attack in ("DeepFool", "C&W"):
        measures[attack] |= {
            "clean_correct": 10, "found": 10, "quantiles": {"0": 0.0, "1": 2 * robust}
        }  # fmt: skip
    measures["gaps"] = {"test_accuracy": 0.99 - 0.01 * strength}
    axes: dict[str, Any] = {"net": net}
    if penalty is not None:
        axes |= {"penalty": penalty, "strength": strength}
    return {
        "label": f"{net} {penalty} {strength}", "axes": axes, "seed": seed, "status": "finished",
        "start": None if penalty is None else f"{net} reference", "measures": measures,
    }  # fmt: skip


@pytest.fixture
def record() -> dict[str, Any]:
    runs = []
    for net in NETS:
        for seed in range(4):
            noise = 0.05 * seed
            runs.append(run(net, None, 0.0, seed, 0.2 + noise))
            for penalty in PENALTIES:
                for strength in (0.1, 1.0):
                    worth = 0.4 + 0.2 * strength + 0.1 * (penalty == "Curvature")
                    runs.append(run(net, penalty, strength, seed, worth + noise))
    return {"runs": runs}


def test_interval_is_students() -> None:
    centre, low, high = comparisons.interval([1.0, 2.0, 3.0])
    assert math.isclose(centre, 2.0)
    assert math.isclose(high - centre, 4.302653 / math.sqrt(3), rel_tol=1e-6)
    assert math.isclose(centre - low, high - centre)
    with pytest.raises(ValueError, match="at least two values"):
        comparisons.interval([1.0])


def test_pairs_see_what_the_spread_hides(record: dict) -> None:
    """Differences of 0.1 at a spread of 0.06 over initialisations."""
    same = comparisons.paired(record, "JacobianPenalty", "CrossLipschitz")
    assert (same["settings"], same["equal"], same["apart"], same["open"]) == (16, 16, 0, 0)
    other = comparisons.paired(record, "JacobianPenalty", "Curvature")
    assert (other["equal"], other["apart"]) == (0, 16)
    assert "strength 0.1" in other["largest"] or "strength 1" in other["largest"]
    assert (
        comparisons.paired(record, "JacobianPenalty", "CrossLipschitz", widest=0.5)["settings"] == 8
    )
    scaled = comparisons.paired(record, "JacobianPenalty", "CrossLipschitz", factor=10)
    assert (scaled["settings"], scaled["apart"]) == (8, 8)


def test_noise_leaves_it_open(record: dict) -> None:
    for one in runs_of(record, "lenet5", "CrossLipschitz", 1.0):
        one["measures"]["PGD"]["value"] += 0.2 * (-1) ** one["seed"]
    assert comparisons.paired(record, "JacobianPenalty", "CrossLipschitz")["open"] == 1


def test_equal_accuracy_excludes_the_costly(record: dict) -> None:
    rows = comparisons.at_equal_accuracy(record, "Curvature", "JacobianPenalty", [0.002, 0.02])
    assert len(rows) == 16
    assert all(math.isclose(r["difference"], 0.1) for r in rows)
    for one in runs_of(record, "lenet5", "Curvature", 1.0):
        one["measures"]["gaps"]["test_accuracy"] = 0.5
    rows = comparisons.at_equal_accuracy(record, "Curvature", "JacobianPenalty", [0.002, 0.02])
    costly = [r["difference"] for r in rows if r["network"] == "lenet5" and r["loss"] == 0.02]
    assert all(math.isclose(d, 0.42 + 0.1 - 0.6) for d in costly)
    one = {"runs": [r for r in record["runs"] if r["seed"] == 0]}
    alone = comparisons.at_equal_accuracy(one, "Curvature", "JacobianPenalty", [0.02])
    assert alone[0]["initialisations"] == 1
    assert math.isnan(alone[0]["low"])
    assert comparisons.at_equal_accuracy(one, "Curvature", "JacobianPenalty", [-1.0]) == []


def test_points_not_found_count_with_the_largest_distance(record: dict) -> None:
    assert changed.unfound(record) == 0
    whole = runs_of(changed.bounded(record), "lenet5", "Curvature", 0.1)[0]
    assert math.isclose(whole["measures"]["C&W"]["mean"], 0.4 + 0.02 + 0.1)
    lost = runs_of(record, "lenet5", "Curvature", 0.1)[0]
    lost["measures"]["C&W"] |= {"found": 5, "mean": 1.0}
    nothing = runs_of(record, "lenet5", "Curvature", 0.1)[1]
    nothing["measures"]["C&W"] |= {"found": 0, "mean": None, "quantiles": None}
    before = copy.deepcopy(record)
    assert changed.unfound(record) == 2
    largest = 2 * (0.4 + 0.2 + 0.1 + 0.15)
    after = runs_of(changed.bounded(record), "lenet5", "Curvature", 0.1)
    assert math.isclose(after[0]["measures"]["C&W"]["mean"], (5 + 5 * largest) / 10)
    assert math.isclose(after[1]["measures"]["C&W"]["mean"], largest)
    assert record == before


def test_renaming_and_bracketing(record: dict) -> None:
    swapped = changed.renamed(
        record, {"Curvature": "JacobianPenalty", "JacobianPenalty": "Curvature"}
    )
    assert len(runs_of(swapped, "lenet5", "Curvature")) == 8
    first = runs_of(swapped, "lenet5", "JacobianPenalty", 1.0)[0]
    assert math.isclose(first["measures"]["PGD"]["value"], 0.7)
    inside = comparisons.bracketed(record, "JacobianPenalty", "CrossLipschitz", 0.5)
    assert (inside["settings"], inside["apart"]) == (8, 0)
    for one in runs_of(record, "lenet5", "JacobianPenalty", 1.0):
        one["measures"]["FGSM"]["value"] += 0.5
    outside = comparisons.bracketed(record, "JacobianPenalty", "CrossLipschitz", 0.5)
    assert outside["apart"] == 1
    assert outside["farthest"].startswith("lenet5, FGSM, 1")


def test_long_tuning_needs_both_penalties(record: dict) -> None:
    assert comparisons.long_tuning(None) is None
    runs = [run("lenet5", "Curvature", 0.8, seed, 0.9) for seed in range(3)]
    assert comparisons.long_tuning({"runs": runs}) is None
    runs += [run("lenet5", "JacobianPenalty", 0.8, seed, 0.8) for seed in range(2)]
    found = comparisons.long_tuning({"runs": runs})
    assert found is not None
    assert (found["initialisations"], found["attacks"], found["ahead"]) == (2, 4, 4)
    assert found["PGD"] == {"curvature": 0.9, "Jacobian": 0.8}


def test_the_recorded_long_tuning_has_both_penalties() -> None:
    found = comparisons.long_tuning(load_recorded("D_mnist_long_tuning"))
    assert found is not None
    assert (found["initialisations"], found["attacks"]) == (3, 4)
