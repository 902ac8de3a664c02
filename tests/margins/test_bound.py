"""The bounds: algebra by hand, who is below whom, and the margin constant against sampling."""

from __future__ import annotations

import math

import pytest
import torch

from nbsrc import margins as mg


def test_formulas_by_hand() -> None:
    K, m, eta = 4, 50, 0.1
    second = math.sqrt(2 * math.log(2) * K / m + 2 * math.log(1 / eta) / m)
    assert mg.display_bound(0.25, 1.0, 2.0, 2, m, eta) == pytest.approx(0.75 + second)
    assert mg.xu_mannor_bound(0.75, K, m, eta) == pytest.approx(0.75 + second)
    assert mg.xu_mannor_bound(0.0, K, m, eta, M=3.0) == pytest.approx(3 * second)
    gamma, C, k = 0.5, 1.5, 2
    end = math.sqrt(math.log(2) * 2 ** (k + 1) * C**k / (gamma**k * m) + 2 * math.log(1 / eta) / m)
    assert mg.proof_end_bound(0.25, gamma, C, k, m, eta) == pytest.approx(1.0 + end)
    assert mg.loss_term(2.0, 1.0) == 0.0


def test_repaired_radius_is_below_the_printed_one_up_to_15_classes() -> None:
    for K in (1, 2, 10, 1000):
        for m in (1, 100):
            for eta in (0.01, 0.5, 0.79):
                assert mg.repaired_radius(K, 15, m, eta) <= mg.bhc_radius(K, m, eta)
            assert mg.repaired_radius(K, 7, m, 1.0) <= mg.bhc_radius(K, m, 1.0) * (1 + 1e-12)
    assert mg.repaired_radius(1000, 16, 100, 0.5) > mg.bhc_radius(1000, 100, 0.5)
    assert mg.hoeffding_radius(100, 0.1) < mg.bhc_radius(1, 100, 0.1)
    assert mg.repaired_bound(0.5, 1.0, 1, 2, 9, 0.5) == 0.5 + mg.repaired_radius(1, 2, 9, 0.5)


def test_any_classes_radius_is_below_the_printed_one() -> None:
    """By Cauchy-Schwarz the ratio is at most sqrt(1 / (2 log 2) + 1 / 4), and gets there."""
    limit = math.sqrt(1 / (2 * math.log(2)) + 0.25)
    worst = 0.0
    for K in (1, 2, 7.5, 100, 1e6):
        for eta in (1.0, 0.9, 0.5, 0.01, 1e-9, 1e-60):
            ratio = mg.any_classes_radius(K, 30, eta) / mg.bhc_radius(K, 30, eta)
            assert ratio <= limit * (1 + 1e-12)
            worst = max(worst, ratio)
    assert 0.98 < worst <= limit < 1
    assert mg.any_classes_radius(4, 25, 1.0) == pytest.approx(0.4)
    with pytest.raises(ValueError, match="a cell"):
        mg.any_classes_radius(0, 1, 0.5)


@pytest.mark.parametrize("seed", range(10))
def test_row_rank_constant(seed: int) -> None:
    """margin >= c v(x), with v from the enumeration; 1-D rays of the same case by hand below."""
    g = torch.Generator().manual_seed(seed)
    W1 = torch.randn(2, 2, generator=g, dtype=torch.float64)
    W2 = torch.randint(-2, 3, (3, 2), generator=g).double()
    net = torch.nn.Sequential(
        torch.nn.Linear(2, 2, bias=False), torch.nn.ReLU(), torch.nn.Linear(2, 3, bias=False)
    ).double()
    net[0].weight.data, net[2].weight.data = W1, W2
    for x in torch.randn(4, 2, generator=g, dtype=torch.float64):
        scores = net(x[None]).detach()
        label = int(scores.argmax())
        u = float(mg.margin(scores, torch.tensor([label])))
        if u > 1e-9:
            v = mg.instance_margin(net, x)
            assert v.converged
            assert u >= mg.row_rank_constant([W1, W2], label) * v.value * (1 - 1e-9)


def test_printed_margin_is_twice_the_true_one() -> None:
    """f = (x+, x-): the margin at 1 is 1, the boundary is 0."""
    column = torch.tensor([[1.0], [-1.0]], dtype=torch.float64)
    eye = torch.eye(2, dtype=torch.float64)
    assert mg.printed_margin([column, eye], 1.0) == pytest.approx(2.0)
    assert mg.printed_margin([eye], 1.0) == pytest.approx(math.sqrt(2))
    assert mg.row_rank_constant([eye, torch.zeros(2, 2)], 0) == math.inf


def test_errors() -> None:
    eye = torch.eye(2)
    with pytest.raises(ValueError, match="full row rank"):
        mg.row_rank_constant([torch.ones(2, 1), eye], 0)
    with pytest.raises(ValueError, match="full row rank"):
        mg.row_rank_constant([torch.ones(2, 2), eye], 0)
    with pytest.raises(ValueError, match="one hidden layer"):
        mg.row_rank_constant([eye, eye, eye], 0)
    with pytest.raises(ValueError, match="label"):
        mg.row_rank_constant([eye, eye], 2)
    with pytest.raises(ValueError, match="v_min"):
        mg.printed_margin([eye], -1.0)
    with pytest.raises(ValueError, match="two classes"):
        mg.printed_margin([torch.ones(1, 2)], 1.0)
    with pytest.raises(ValueError, match="do not fit"):
        mg.printed_margin([eye, torch.ones(2, 3)], 1.0)
    with pytest.raises(ValueError, match="none empty"):
        mg.printed_margin([], 1.0)
    with pytest.raises(ValueError, match="m must be"):
        mg.bhc_radius(1, 0, 0.5)
    with pytest.raises(ValueError, match="eta must be"):
        mg.hoeffding_radius(1, 0.0)
    with pytest.raises(ValueError, match="K must not"):
        mg.bhc_radius(-1, 1, 0.5)
    with pytest.raises(ValueError, match="gamma"):
        mg.loss_term(1.0, math.inf)
    with pytest.raises(ValueError, match="C / eps"):
        mg.display_bound(1.0, 1.0, 0.0, 1, 1, 0.5)
    with pytest.raises(ValueError, match="two classes"):
        mg.repaired_radius(1, 1, 1, 0.5)
