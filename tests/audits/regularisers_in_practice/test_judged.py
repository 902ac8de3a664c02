"""Judgements on records, with records that they must refuse."""

from __future__ import annotations

import copy
import math
from typing import Any

import pytest

from nbsrc.audits.regularisers_in_practice import judged
from nbsrc.audits.regularisers_in_practice.records import (
    ATTACKS,
    NETS,
    PENALTIES,
    cell,
    curve,
    of_run,
    runs_of,
)


def run(net: str, penalty: str | None, strength: float | None, seed: int, robust: float) -> dict:
    measures: dict[str, Any] = {attack: {entry: robust} for attack, entry in ATTACKS.items()}
    measures["gaps"] = {"test_accuracy": 0.9}
    scale = 1.0 if penalty is None else 0.01
    measures["slopes"] = {
        name: {"mean": 10 * scale, "median": 9 * scale, "q95": 15 * scale, "largest": 20 * scale}
        for name in ("mu", "nu", "nu_gamma", "input_gradient", "curvature")
    }
    measures["slopes"]["shares"] = {"input_gradient": 1 - scale}
    axes = {"net": net} if penalty is None else {"net": net, "penalty": penalty}
    return {
        "axes": axes | ({} if strength is None else {"strength": strength}),
        "start": None if penalty is None else f"{net} reference",
        "seed": seed,
        "status": "finished",
        "measures": measures,
    }


@pytest.fixture
def record() -> dict[str, Any]:
    runs = []
    for net in NETS:
        for seed in range(3):
            runs.append(run(net, None, None, seed, 0.4 + 0.01 * seed))
            for penalty in PENALTIES:
                for strength in (0.1, 0.4, 1.6):
                    worth = 0.5 + 0.1 * (penalty == "Curvature") * (strength > 0.1)
                    runs.append(run(net, penalty, strength, seed, worth + 0.01 * seed))
    return {"runs": runs}


def test_curves_hold_means_and_spreads(record: dict) -> None:
    points = dict(curve(record, "lenet5", "Curvature", "PGD"))
    assert list(points) == [0.1, 0.4, 1.6]
    assert math.isclose(points[0.4].mean, 0.61)
    assert math.isclose(points[0.4].spread, 0.01)
    assert points[0.4].seeds == (0, 1, 2)
    mean, std, number = judged.reference(record, "lenet5", "FGSM", "value")
    assert (round(mean, 9), round(std, 9), number) == (0.41, 0.01, 3)


def test_diverged_runs_and_missing_numbers_are_counted_and_left_out(record: dict) -> None:
    runs = runs_of(record, "lenet5", "Curvature", 0.1)
    runs[0]["status"], runs[0]["measures"] = "diverged", {}
    runs[1]["measures"]["C&W"]["mean"] = None
    found = cell(runs, "C&W", "mean")
    assert (found.diverged, found.runs, found.seeds, found.spread) == (1, 3, (2,), 0.0)
    assert of_run(runs[0], "C&W", "mean") is None
    assert math.isnan(cell([], "C&W", "mean").mean)


def test_equal_penalties_are_similar_and_a_shifted_one_is_not(record: dict) -> None:
    assert judged.similar(record, "JacobianPenalty", "CrossLipschitz").holds
    assert judged.similar(record, "JacobianPenalty", "CrossLipschitz").trials == 24
    shifted = copy.deepcopy(record)
    for one in runs_of(shifted, "lenet5", "CrossLipschitz", 1.6):
        one["measures"]["C&W"]["mean"] += 0.02
    finding = judged.similar(shifted, "JacobianPenalty", "CrossLipschitz")
    assert not finding.holds
    assert finding.counterexample.startswith("lenet5, C&W, strength 1.6")
    assert judged.similar(shifted, "JacobianPenalty", "CrossLipschitz", widest=0.4).holds
    counted = judged.alike(shifted, "JacobianPenalty", "CrossLipschitz")
    assert (counted["settings"], counted["alike"], counted["almost_all"]) == (24, 23, True)
    assert len(counted["exceptions"]) == 1
    other = judged.alike(shifted, "JacobianPenalty", "Curvature")
    assert (other["alike"], other["almost_all"]) == (8, False)
    assert not judged.alike({"runs": []}, "JacobianPenalty", "Curvature")["almost_all"]


def test_the_winner_wins_and_ties_are_shared(record: dict) -> None:
    counts = judged.best_counts(record)
    assert (counts["cells"], counts["Curvature"], counts["curvature first"]) == (16, 16, 16)
    assert counts["JacobianPenalty"] == 0
    tied = judged.best_counts(record, least=0.1)
    assert (tied["cells"], tied["JacobianPenalty"], tied["curvature first"]) == (24, 8, 16)


def test_one_collapsed_network_does_not_decide_and_unequal_numbers_of_runs_do_not_count(
    record: dict,
) -> None:
    lost = runs_of(record, "lenet5", "Curvature", 1.6)[2]
    lost["measures"] |= {"PGD": {"value": 0.0}}
    assert judged.best_counts(record)["Curvature"] == 16
    lost["measures"] |= {"PGD": {"value": None}}
    assert judged.best_counts(record)["cells"] == 16
    record["runs"].remove(lost)
    assert judged.best_counts(record)["cells"] == 12


def test_a_factor_compares_different_strengths(record: dict) -> None:
    for one in runs_of(record, "lenet5", "CrossLipschitz", 0.4):
        one["measures"]["C&W"]["mean"] += 1.0
    counted = judged.alike(record, "JacobianPenalty", "CrossLipschitz", factor=0.25)
    assert (counted["settings"], counted["alike"]) == (16, 15)
    assert counted["exceptions"][0].startswith("lenet5, C&W, strength 1.6")


def test_percentages_are_compared_in_points() -> None:
    assert judged.within({"a": 90.0}, {"a": 90.4}, 0.5)
    assert not judged.within({"a": 90.0, "b": 1.0}, {"a": 90.4, "b": 2.0}, 0.5)


def test_terms_and_shrinkage(record: dict) -> None:
    terms = judged.penalised_terms(record, which="largest")
    assert math.isclose(terms["JacobianPenalty"], 0.04)
    assert math.isclose(terms["CrossLipschitz"], 0.02)
    assert judged.penalised_terms(record, 0, which="largest")["Curvature"] == 20
    assert judged.penalised_terms(record, 0)["Curvature"] == 15
    assert math.isclose(judged.sum_share(record, "lenet5"), 0.5)
    shrunk = judged.shrinkage(record, "lenet5")["Curvature"]
    assert math.isclose(shrunk["nu"], 100)
    assert shrunk["share"] == 0.99
