"""Radii, exits, the bound beyond the cell, sawteeth, shared activations."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from nbsrc.audits.power_methods import bound, bound_edges, regions, sawtooth, shared
from nbsrc.audits.power_methods.cases import (
    ORDERS,
    PAIRS,
    Case,
    affine,
    dense_net,
    random_cases,
)
from nbsrc.linear_region import region_radius

ALL = list(random_cases(24, 0))
DENSE = [c for c in ALL if c.words[0].isdigit()]


def on_the_line(count: int) -> list[Case]:
    g = torch.Generator().manual_seed(1)
    one = torch.ones(1, 1).double()
    nets = [dense_net([1, 5, 1 + k % 3], g) for k in range(count)]
    cases = [Case(net, one, one, f"line {k}") for k, net in enumerate(nets)]
    return [c for c in cases if c.radius(2.0) > 1e-3 and bool(c.J.any())]


def dead_weight() -> Case:
    net = nn.Sequential(affine([[1.0], [1.0]], [0.0, 4.0]), nn.ReLU(), affine([[0.0, 1.0]]))
    return Case(net, torch.ones(1, 1).double(), torch.ones(1, 1).double(), "1-2-1")


@pytest.mark.parametrize("p", ORDERS)
def test_radius(p: float) -> None:
    assert regions.audit_cell_formula(DENSE, p).holds
    for share in (0.99, 1.01):
        assert not regions.audit_cell_formula(DENSE, p, share=share).holds
    for case in DENSE:
        own = regions.cell_radius(bound.linearised(case.net, case.x), p)
        assert own == pytest.approx(float(region_radius(case.net, case.x, p)))


def test_constant_units_have_to_be_left_out() -> None:
    net = nn.Sequential(affine([[1.0], [0.0]], [0.0, 0.0]), nn.ReLU(), affine([[1.0, 1.0]]))
    case = Case(net, torch.ones(1, 1).double(), torch.ones(1, 1).double(), "1-2-1")
    assert regions.audit_cell_formula([case], 2.0).holds
    assert not regions.audit_cell_formula([case], 2.0, skip_constant=False).holds


@pytest.mark.parametrize("p", ORDERS)
def test_cell_formula_of_wide_networks(p: float) -> None:
    wide = list(regions.wide_cases((16, 128), 0))
    assert regions.audit_cell_formula(wide, p, margin=1e-6).holds
    assert not regions.audit_cell_formula(wide, p, margin=1e-6, share=1.001).holds


def test_linearised_reads_fully_connected_networks_only() -> None:
    conv = next(c for c in ALL if c.words.startswith("conv"))
    with pytest.raises(TypeError, match="Linear, ReLU"):
        bound.linearised(conv.net, conv.x)
    with pytest.raises(TypeError, match="Linear, ReLU"):
        bound.linearised(nn.Sequential(affine([[1.0]]), nn.ReLU()), torch.ones(1, 1).double())


def test_ray() -> None:
    assert regions.audit_ray(ALL, 0).holds
    assert not regions.audit_ray(ALL, 0, share=1.01).holds


def test_constant_jacobian() -> None:
    assert regions.audit_constant_jacobian(DENSE, 2.0).holds
    assert not regions.audit_constant_jacobian(DENSE, 2.0, size=10.0).holds
    assert regions.audit_touching().holds
    assert not regions.audit_touching(regions.torch_jacobian).holds


@pytest.mark.parametrize(("p", "q"), PAIRS)
def test_bound(p: float, q: float) -> None:
    sizes = (0.9, 1.1, 5, 30)
    for sharp in (False, True):
        assert bound.audit_bound(DENSE, p, q, sizes, sharp=sharp).holds
    assert not bound.audit_bound(DENSE, p, q, sizes, share=0.3).holds


@pytest.mark.parametrize("q", ORDERS)
def test_bound_with_the_exact_maximum(q: float) -> None:
    cases, sizes = on_the_line(30), (0.9, 1.5, 5, 30)
    assert bound.audit_exact_gap(cases, q, sizes).holds
    assert not bound.audit_exact_gap(cases, q, sizes, share=0.5).holds


def test_bound_is_zero_in_the_cell_but_not_only_there() -> None:
    cases, sizes = [*DENSE, dead_weight()], (0.5, 1.0, 1.5, 5)
    assert bound_edges.audit_zero(cases, 2.0, sizes, only=False).holds
    found = bound_edges.audit_zero(cases, 2.0, sizes, only=True)
    assert found.counterexample["weights"] == [[[1.0], [1.0]], [[0.0, 1.0]]]


def test_bound_audit_sees_a_wrong_recursion(monkeypatch: pytest.MonkeyPatch) -> None:
    right = bound.remainder
    monkeypatch.setattr(bound, "remainder", lambda *a, **k: right(*a, **k).roll(1) * 0.2)
    assert not bound.audit_bound(DENSE, 2.0, 2.0, (5, 30)).holds


def test_sawtooth() -> None:
    nets = [sawtooth.unit_interval(sawtooth.sawtooth(k), f"sawtooth {k}") for k in (1, 3)]
    for teeth, case in zip((1, 3), nets, strict=True):
        deviation = bound.exact_deviation_1d(case.net, case.x, 1.0, 2.0)
        assert deviation == pytest.approx(1 / (4 * teeth + 2))
        assert sawtooth.slopes(case.net).unique().tolist() == pytest.approx([-0.5, 0.5, 1.5])
    assert sawtooth.audit_values_agree([*nets, *on_the_line(20)]).holds
    assert not sawtooth.audit_values_agree(nets, 0.5).holds


def test_tiny_deviation_and_another_direction(monkeypatch: pytest.MonkeyPatch) -> None:
    found = sawtooth.audit_iterates_agree([30, 60])
    assert found.worst_slack == pytest.approx(5**-0.5 - 1)
    assert found.counterexample["gain over ||J||"] < 0.5
    monkeypatch.setattr(
        sawtooth, "tilted", lambda _: nn.Sequential(affine([[0.5, 0.0]]), nn.Identity())
    )
    assert sawtooth.audit_iterates_agree([30]).holds


def test_tilted_is_the_sawtooth_in_the_second_input() -> None:
    t = torch.linspace(-1, 1, 41).double()[:, None]
    line = sawtooth.sawtooth(3, slope=0.0)(t)
    assert torch.allclose(sawtooth.tilted(3)(torch.cat([t**2, t], 1)), t**2 / 2 + line)


def test_equal_jacobian_and_radius_say_nothing_of_what_is_beyond() -> None:
    zero = torch.zeros(1, 1).double()
    flat, steep = sawtooth.flat_and_steep()
    for net in (flat, steep):
        assert float(region_radius(net, zero, 2)) == 1
        assert bound.exact_maximum_1d(net, zero, 1.0, 2.0) == pytest.approx(1)
    assert bound.exact_maximum_1d(flat, zero, 2.0, 2.0) == pytest.approx(1)
    assert bound.exact_maximum_1d(steep, zero, 2.0, 2.0) == pytest.approx(3)


def test_shared_activations() -> None:
    found = shared.audit_shared(shared.intersection)
    assert found.counterexample == {"phi_x": [0], "phi_x+z": [0], "fraction": 0.0}
    assert shared.audit_shared(shared.agreement).holds
    assert shared.audit_shared(shared.jaccard).holds


def test_same_curve_other_radii() -> None:
    nets = [shared.hinge_net(h) for h in ([1, 1], [1, 2])]
    sizes = [0.5, 1.5, 2.5, 4.5]
    one, two = (shared.shared_curve(net, [0, 3], sizes) for net in nets)
    assert one == two == [1, 0.75, 0.5, 0.5]
    x = torch.tensor([[0.0], [3.0]]).double()
    assert [region_radius(net, x, math.inf).tolist() for net in nets] == [[1, 2], [1, 1]]


def test_curve_does_not_decide() -> None:
    found = shared.audit_curve_decides([0.5, 1.5, 2.5, 4.5])
    assert found.counterexample["hinges"] == [[1, 1], [1, 2]]
    assert found.counterexample["mean radii"] == [1.5, 1.0]
    assert shared.audit_curve_decides([0.5, 1.5, 50, 200], [100]).worst_slack == -49


def test_noise_that_stays_is_rays_that_have_not_left() -> None:
    assert shared.audit_stay(ALL, 0).holds
    assert not shared.audit_stay(ALL, 0, units=True).holds
    stays = [shared.stay_curve(shared.hinge_net(h), [0, 3], [0.5, 1.5]) for h in ((1, 1), (1, 2))]
    assert stays == [[1, 0.75], [1, 0.5]]


def test_not_decided_beyond_the_cell_only() -> None:
    assert sawtooth.audit_not_decided([1.5, 2.0]).holds
    assert not sawtooth.audit_not_decided([0.9]).holds


@pytest.mark.parametrize("q", ORDERS)
def test_one_layer(q: float, monkeypatch: pytest.MonkeyPatch) -> None:
    cases, sizes = on_the_line(10), (0.9, 1.5, 5)
    assert bound_edges.audit_one_layer(cases, 2.0, q, sizes).holds
    right = bound_edges.remainder
    monkeypatch.setattr(bound_edges, "remainder", lambda *a, **k: 2 * right(*a, **k))
    assert not bound_edges.audit_one_layer(cases, 2.0, q, sizes).holds
