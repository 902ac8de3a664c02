"""What penalties gain over references, on records made up here."""

from __future__ import annotations

from typing import Any

import pytest

from nbsrc.audits.regularisers_in_practice import cifar, judged
from nbsrc.audits.regularisers_in_practice.records import ATTACKS, PENALTIES, nets_of, runs_of

NETS = ("conv4", "vgg_like")


def run(net: str, penalty: str | None, strength: float | None, seed: int, robust: float) -> dict:
    axes: dict[str, Any] = {"net": net}
    if penalty is not None:
        axes |= {"penalty": penalty, "strength": strength}
    return {
        "axes": axes,
        "start": None if penalty is None else f"{net} reference",
        "seed": seed,
        "status": "finished",
        "measures": {attack: {entry: robust} for attack, entry in ATTACKS.items()}
        | {"gaps": {"test_accuracy": 0.9}},
    }


@pytest.fixture
def record() -> dict[str, Any]:
    """References at 0.2, a strength of 0.1 at 0.5, of 1 at 0.505; spreads of a hundredth."""
    runs = []
    for net in NETS:
        for seed in range(2):
            off = 0.01 * seed
            runs.append(run(net, None, None, seed, 0.2 + off))
            for penalty in PENALTIES:
                runs.append(run(net, penalty, 0.1, seed, 0.5 + off))
                runs.append(run(net, penalty, 1.0, seed, 0.505 + off))
    return {"runs": runs}


def of(record: dict[str, Any], net: str, penalty: str, strength: float) -> list[dict[str, Any]]:
    wanted = {"net": net, "penalty": penalty, "strength": strength}
    return [run for run in record["runs"] if run["axes"] == wanted]


def test_networks_in_the_order_of_the_runs(record: dict[str, Any]) -> None:
    assert nets_of(record) == list(NETS)


def test_every_setting_helped_and_the_turned_question_never(record: dict[str, Any]) -> None:
    found = cifar.helped(record, 0.1)
    assert (found["settings"], found["helped"], found["almost_all"]) == (32, 32, True)
    turned = cifar.helped(record, 0.1, turned=True)
    assert (turned["helped"], turned["almost_all"]) == (0, False)


def test_a_gain_within_the_spread_is_none(record: dict[str, Any]) -> None:
    for number, one in enumerate(of(record, "conv4", "Curvature", 0.1)):
        one["measures"]["PGD"]["value"] = 0.2 + number  # mean 0.7, but spread 0.71
    found = cifar.helped(record, 0.1)
    assert found["helped"] == 31
    assert found["exceptions"] == ["conv4, Curvature, PGD: 0.205 to 0.7"]


def test_what_is_not_there_is_no_setting(record: dict[str, Any]) -> None:
    for one in of(record, "conv4", "Curvature", 0.1):
        one["status"], one["measures"] = "diverged", {}
    assert cifar.helped(record, 0.1)["settings"] == 28
    assert not cifar.helped({"runs": []}, 0.1)["almost_all"]


def test_a_larger_strength_gains_by_more_than_spread_and_a_point(record: dict[str, Any]) -> None:
    assert not cifar.gained(record, "conv4", 0.1, 1.0, "PGD")["Curvature"]["gains"]
    for one in of(record, "conv4", "Curvature", 1.0):
        one["measures"]["PGD"]["value"] += 0.02
    found = cifar.gained(record, "conv4", 0.1, 1.0, "PGD")
    assert found["Curvature"] == {"low": 0.505, "high": 0.53, "gains": True}
    assert list(found) == list(PENALTIES)
    assert cifar.gained(record, "conv4", 0.1, 10.0, "PGD") == {}


def test_diverged_runs_are_counted_by_strength(record: dict[str, Any]) -> None:
    of(record, "vgg_like", "JacobianPenalty", 1.0)[1]["status"] = "diverged"
    found = cifar.diverged(record, "vgg_like")
    assert found["JacobianPenalty"] == {0.1: (0, 2), 1.0: (1, 2)}
    assert found["Curvature"] == {0.1: (0, 2), 1.0: (0, 2)}


def test_a_network_that_names_one_class_is_not_robust(record: dict[str, Any]) -> None:
    for one in of(record, "conv4", "Curvature", 0.1):
        one["measures"]["gaps"]["test_accuracy"] = 0.5
    found = cifar.helped(record, 0.1)
    assert found["helped"] == 28
    assert found["exceptions"][0] == "conv4, Curvature, FGSM: collapsed"
    for one in of(record, "conv4", "InputGradient", 1.0):
        one["measures"] |= {"PGD": {"value": 0.9}, "gaps": {"test_accuracy": 0.5}}
    assert not cifar.gained(record, "conv4", 0.1, 1.0, "PGD")["InputGradient"]["gains"]
    compared = judged.alike(record, "JacobianPenalty", "Curvature", least_clean=0.75)
    assert (
        compared["settings"] == judged.alike(record, "JacobianPenalty", "Curvature")["settings"] - 4
    )


def test_modes_are_kept_apart(record: dict[str, Any]) -> None:
    for seed in range(2):
        other = run("conv4", "Curvature", 0.1, seed, 0.1 + 0.2 * seed)
        other["axes"]["mode"] = "evaluation mode"
        other["measures"]["gaps"]["test_accuracy"] = 0.6
        record["runs"].append(other)
    assert len(runs_of(record, "conv4", "Curvature", 0.1)) == 2
    assert cifar.modes(record, "conv4") == {
        "Curvature 0.1": {
            "batch": 0.9, "batch PGD": 0.505, "evaluation": 0.6, "evaluation PGD": 0.2
        }
    }  # fmt: skip
    assert cifar.helped(record, 0.1)["settings"] == 32
    of(record, "conv4", "Curvature", 1.0)[1]["measures"]["gaps"]["test_accuracy"] = 0.7
    assert len(cifar.clean_by_seed(record, "conv4", 1)) == 8
    ends = [cifar.clean_by_seed(record, "conv4", number)["Curvature 1"] for number in (0, 1)]
    assert ends == [0.9, 0.7]
