"""Twin trainings, printed tables, and measurements on small digits networks."""

from __future__ import annotations

import math

import pytest
import torch

from nbsrc.audits.power_methods import digit_measures, digit_nets, printed, twins
from nbsrc.claims import row
from nbsrc.linear_region import jacobian


def test_twins_agree_in_the_cell() -> None:
    pairs = [(1.0, 2.0), (2.0, 2.0), (math.inf, 1.0)]
    assert twins.audit_twins(pairs, steps=15, seed=0).holds


@pytest.mark.parametrize("change", [{"size": 5.0}, {"alpha": 0.25}, {"wrong_weight": 1.01}])
def test_twins_part(change: dict[str, float]) -> None:
    assert not twins.audit_twins([(2.0, 2.0)], steps=5, seed=0, **change).holds


def test_the_exact_norm_is_another_regulariser() -> None:
    assert not twins.audit_twins([(math.inf, 1.0)], steps=5, seed=0, exact=True).holds


def test_twins_refuse_to_say_nothing() -> None:
    with pytest.raises(RuntimeError, match="moved no weight"):
        twins.audit_twins([(2.0, 2.0)], steps=2, seed=0, weight=0.0)


def test_tables() -> None:
    grid = row("B.tab3").data
    assert not printed.audit_on_grid(grid).holds
    assert printed.audit_on_grid(grid, charitable=True).holds
    wrong = {"AT l2": [("AT", "eps_l2", 2.25)]}
    assert not printed.audit_on_grid(grid, wrong, charitable=True).holds
    assert printed.configurations(grid)["AT l2"] == 770
    assert printed.missing_steps(grid["AT"]["eps_l2"], 0.25) == [2.25]


def test_accuracies_and_networks() -> None:
    data = row("B.setup-reg").data
    cells = [("CNN7", "AT_l2", data["cnn7"]), ("WRN", "AT_l2", data["wrn"])]
    found = printed.audit_same_accuracy(cells, 0.0)
    assert found.counterexample["points apart"] == 2.1
    assert printed.audit_same_accuracy(cells, 2.1).holds
    assert not printed.audit_networks(printed.FIGURES, {"only": ["WRN-28-10"]}).holds
    assert printed.audit_networks(printed.FIGURES, {"once": ["WRN-28-10", "SVHN"]}).holds
    fewer = {k: v for k, v in printed.FIGURES.items() if k != 3}
    assert not printed.audit_networks(fewer, {"once": ["WRN-28-10"]}).holds


@pytest.mark.parametrize("method", digit_nets.METHODS)
def test_training_and_measures(method: str) -> None:
    net = digit_nets.train(method, 0, steps=6, width=8)
    assert 0 < digit_nets.robust_accuracy(net, 0, 0.0, 1, 50) <= 1
    attacked = digit_nets.robust_accuracy(net, 0, 0.6, 3, 50)
    assert attacked <= digit_nets.robust_accuracy(net, 0, 0.0, 1, 50) + 0.1
    x = digit_nets.digits(0).test_x[:3]
    assert torch.allclose(digit_nets.mlp_jacobian(net, x), jacobian(net, x), atol=1e-12)


def test_beyond_the_cell_starts_exact() -> None:
    net = digit_nets.train("standard", 0, steps=10, width=8)
    rows = digit_measures.beyond_the_cell(net, 0, (0.9, 50), count=20)
    assert rows[0]["cosine"] == pytest.approx(1)
    assert rows[0]["value ratio"] == pytest.approx(1, abs=1e-2)
    assert rows[0]["flipped units"] == 0 < rows[1]["flipped units"]
    rays = digit_measures.along_rays(net, 0, (1e-5, 1.0), count=10)
    assert rays[0]["random, absolute"] < 1e-6 < rays[1]["random, absolute"]
    limits = digit_measures.bound_and_attack(net, 0, (0.9, 5), count=5)
    assert limits[0]["upper"] == 1
    assert limits[1]["lower"] <= limits[1]["attack"] <= limits[1]["upper, sharper"]
    assert limits[1]["upper, sharper"] <= limits[1]["upper"]
    found = digit_measures.alignment(net, 0, count=10)
    assert found["1 iteration"] <= found["10 iterations"] + 0.2
    assert len(digit_measures.radii({"a": net}, 0, count=5)) == 10
    assert digit_measures.robust_table([{"a": 1.0}, {"a": 2.0}]) == {"a": 1.5}
