"""Set-ups of paper D: protocol, networks, norms of the attacks, costs of steps."""

from __future__ import annotations

import copy
import math
from typing import Any

import pytest
import torch

from nbsrc.audits.regularisers_in_practice import architectures, attack_norms, passes, protocol
from nbsrc.audits.regularisers_in_practice.attack_norms import ATTACKERS
from nbsrc.audits.regularisers_in_practice.records import PENALTIES, runs_of
from nbsrc.experiments import load_recorded
from nbsrc.models import build_model


@pytest.fixture(scope="module")
def two() -> dict[str, Any]:
    record = load_recorded("D_mnist_binary")
    assert record is not None
    return record


def test_epochs_of_the_printed_steps() -> None:
    assert round(protocol.epochs_of(50_000, 13_007)) == 245
    assert round(protocol.epochs_of(50_000, 60_000)) == 53


def test_recorded_starts_are_the_references(two: dict) -> None:
    found = protocol.audit_starts(two)
    assert found.holds
    assert found.trials > 300
    assert not protocol.audit_starts(two, shift=1).holds
    planted = copy.deepcopy(two)
    runs_of(planted, "lenet5", "Curvature", 0.1)[0]["start"] = "another"
    assert not protocol.audit_starts(planted).holds


def test_what_was_done_is_counted(two: dict) -> None:
    counts = protocol.done(two, PENALTIES)
    assert counts["printed"] == 640
    assert 0 < counts["done"] < 640
    assert (counts["pairs"], counts["unattacked"]) == (0, 0)
    planted = copy.deepcopy(two)
    del runs_of(planted, "lenet5", "Curvature", 0.1)[0]["measures"]["PGD"]
    planted["runs"] = [r for r in planted["runs"] if r["axes"].get("penalty") != "InputGradient"]
    counts = protocol.done(planted, PENALTIES)
    assert (counts["pairs"], counts["unattacked"]) == (2, 1)


def test_policies_differ_in_words(two: dict) -> None:
    assert protocol.policy_problems(runs_of(two, "lenet_300_100"), 13_007, number=10) == []
    short = protocol.policy_problems(runs_of(two, "lenet5"), 13_007, number=10)
    assert short == ["2,040 steps", "3 initialisations"]
    planted = copy.deepcopy(runs_of(two, "lenet_300_100"))
    planted[-1]["settings"]["momentum"] = 0.5
    assert protocol.policy_problems(planted, 13_007, number=10) == ["settings {'momentum': 0.5}"]


def test_lost_runs_by_strength(two: dict) -> None:
    lost = protocol.losses_by_strength(two, PENALTIES)
    assert list(lost) == ["InputGradient"]
    assert set(lost["InputGradient"]) == {0.8, 1.6}


def test_networks_have_the_printed_layers() -> None:
    assert architectures.audit_printed().holds
    one = {"resnet32_fixup": architectures.PRINTED["resnet32_fixup"]}
    deeper = architectures.audit_printed(one, {"resnet32_fixup": "resnet56_fixup"})
    assert "convolutions = 55" in deeper.counterexample
    fewer = architectures.audit_printed(
        {"conv4": {"weighted": 4, "norm": True}}, {"conv4": "lenet5"}
    )
    assert "norm = False" in fewer.counterexample


def test_thirty_one_convolutions_leave_one_residual_network() -> None:
    sizes = [
        architectures.residual_sizes(31, stages=stages, projections=projections)
        for stages in (3, 4)
        for projections in (False, True)
    ]
    assert sizes == [[5], [], [], []]
    assert architectures.residual_sizes(33, projections=True) == [5]
    assert architectures.residual_sizes(32, projections=False) == []
    assert architectures.residual_sizes(32, projections=True) == []


def test_attacks_control_the_printed_norms() -> None:
    assert attack_norms.audit_norms(weights=attack_norms.WEIGHTS[:1]).holds
    swapped = {name: 2.0 if p == math.inf else math.inf for name, (p, _) in ATTACKERS.items()}
    for name, norm in swapped.items():
        if name != "PGD":  # as FGSM, and each call costs half a second
            other = attack_norms.audit_norms({name: norm}, weights=[(3, 4)], only=[name])
            assert not other.holds
            assert other.counterexample.startswith(name)


def test_operations_are_counted_exactly() -> None:
    draw = torch.Generator().manual_seed(0)
    net = build_model("lenet_300_100", generator=draw, classes=2, image=(1, 8, 8), width=0.1)
    x, y = torch.rand(4, 1, 8, 8, generator=draw), torch.zeros(4, dtype=torch.long)
    forward = 2 * 4 * (64 * 30 + 30 * 10 + 10 * 2)
    first = 2 * 4 * 64 * 30
    plain = passes.training_flops(net, x, y, passes.PENALTIES["plain"](draw))
    assert plain == 3 * forward - first  # the gradient of the images is not needed
    steps = {k: passes.training_flops(net, x, y, passes.adversarial(k)) for k in (1, 2, 3)}
    assert steps[2] - steps[1] == steps[3] - steps[2] == 2 * forward  # no gradients of weights
    assert all(p.grad is None for p in net.parameters())


def test_costs_of_steps_and_of_classes() -> None:
    assert passes.audit_steps({1: 3, 2: 5, 4: 9}, 2).holds
    assert not passes.audit_steps({1: 3, 2: 5, 4: 8}, 2).holds
    counts = {("a", k): 5 + 2 * k for k in (2, 4, 8)}
    assert passes.audit_cheaper(counts, 22, ["a"]).holds
    assert passes.audit_cheaper(counts, 10, ["a"]).counterexample.startswith("a, 4 classes")
    assert passes.audit_cheaper(counts, 10, []).trials == 0
    few, many = (passes.operations(k, ["plain", "Jacobian", "input gradient"]) for k in (2, 20))
    assert many["input gradient"] < 1.1 * few["input gradient"]
    assert many["Jacobian"] > 5 * few["Jacobian"]
