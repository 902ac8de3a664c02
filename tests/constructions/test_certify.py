"""Certificates against brute force, exact breakpoints, planted bugs and the edges of the balls."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from nbsrc.constructions import (
    certify_intervals,
    certify_linear,
    closest_pair,
    inflate_norms,
    robust_classifier,
    robust_classifier_with_lipschitz,
)
from nbsrc.constructions.certify import certify_robust
from nbsrc.constructions.certify_witness import in_closed_ball
from tests.constructions.datasets import QUICK, ball

ORDERS = (1, 2, math.inf)
ACTIVATIONS = (
    nn.ReLU(), nn.LeakyReLU(0.3), nn.LeakyReLU(-0.5), nn.LeakyReLU(2.0), nn.Hardtanh(), nn.ReLU6(),
    nn.ELU(), nn.Softplus(), nn.Softplus(3.0, threshold=1.0), nn.Tanh(), nn.Sigmoid(), nn.GELU(),
    nn.SiLU(),
)  # fmt: skip


def network(
    widths: tuple[int, ...], activation: nn.Module, seed: int, dtype: torch.dtype = torch.float64
) -> nn.Sequential:
    generator = torch.Generator().manual_seed(seed)
    modules: list[nn.Module] = []
    for inputs, outputs in pairwise(widths):
        layer = nn.Linear(inputs, outputs, dtype=dtype)
        for value in layer.parameters():
            value.data = torch.randn(value.shape, generator=generator, dtype=dtype)
        modules += [layer, activation]
    return nn.Sequential(*modules[:-1])


def line(slope: float = 1.0, bias: float = 0.0) -> nn.Sequential:
    layer = nn.Linear(1, 1, dtype=torch.float64)
    layer.weight.data.fill_(slope)
    layer.bias.data.fill_(bias)
    return nn.Sequential(layer)


def outside(net: nn.Module, found: object, samples: Tensor) -> float:
    """How far the sampled outputs lie outside the certificate's bounds."""
    with torch.no_grad():
        values = torch.stack([net(part).double() for part in samples])
    return float(torch.maximum(found.lower - values, values - found.upper).max())


@given(
    st.integers(0, 10**6), st.sampled_from(ACTIVATIONS), st.sampled_from(ORDERS),
    st.sampled_from([torch.float32, torch.float64]), st.sampled_from([1, 3]),
    st.sampled_from([(), (4,), (5, 3)]),
)  # fmt: skip
@QUICK
def test_sampled_outputs_never_leave_the_bounds(seed, activation, order, dtype, outputs, hidden):
    generator = torch.Generator().manual_seed(seed)
    width = 1 + seed % 4
    net = network((width, *hidden, outputs), activation, seed, dtype)
    points = torch.randn(5, width, generator=generator).to(dtype)
    labels = torch.randint(0, outputs + 1, (5,), generator=generator).clamp(max=max(outputs - 1, 1))
    eps = float(torch.rand(1, generator=generator))
    samples = ball(points, eps * (1 - 1e-5), order, seed, directions=30)
    for pieces in (1, 6):
        found = certify_robust(net, points, labels, eps, order, pieces=pieces)
        assert outside(net, found, samples) <= 0
        with torch.no_grad():
            values = torch.stack([net(part).double() for part in samples])
        if outputs == 1:
            right = (values[..., 0] - labels).abs() < 0.5
        else:
            right = values.argmax(-1) == labels
        assert not (found.certified & ~right.all(0)).any()
        assert not (found.certified & found.refuted).any()
        assert found.robust_accuracy.lower == found.certified.double().mean()


@pytest.mark.parametrize("bug", ["dual norm", "interval weight", "chord"])
def test_planted_bugs_are_seen(bug, monkeypatch):
    """The sampling above is strong enough to see each of them."""
    if bug == "dual norm":
        true = certify_intervals.upper_dual_norm
        for module in (certify_intervals, certify_linear):
            monkeypatch.setattr(module, "upper_dual_norm", lambda w, o: 0.7 * true(w, o))
    elif bug == "interval weight":
        true_step = certify_intervals.affine_interval

        def narrow(step, before, noise=False):
            found = true_step(step, before, noise)
            middle, half = (found.lower + found.upper) / 2, (found.upper - found.lower) / 2
            return certify_intervals.Interval(middle - 0.7 * half, middle + 0.7 * half, found.noise)

        monkeypatch.setattr(certify_intervals, "affine_interval", narrow)
    else:
        true_through = certify_linear._through

        def without_offset(*arguments):
            slopes, change, lost = true_through(*arguments)
            return slopes, 0 * change, lost

        monkeypatch.setattr(certify_linear, "_through", without_offset)
    worst = -math.inf
    for seed in range(6):
        generator = torch.Generator().manual_seed(seed)
        net = network((2, 4, 3, 1), nn.ReLU(), seed)
        points = torch.randn(5, 2, generator=generator, dtype=torch.float64)
        found = certify_robust(net, points, torch.full((5,), 100), 0.5, 2, pieces=2)
        found_near = certify_robust(net, points, torch.zeros(5).long(), 0.5, 2, pieces=2)
        samples = ball(points, 0.4999, 2, seed, directions=60)
        worst = max(worst, outside(net, found, samples), outside(net, found_near, samples))
    assert worst > 1e-3


def one_dimensional_range(net: nn.Sequential, low: float, high: float) -> tuple[float, float]:
    """The exact range of a one-hidden-layer ReLU network: its ends are at breakpoints."""
    breaks = -net[0].bias / net[0].weight[:, 0]
    inside = breaks[(breaks > low) & (breaks < high)]
    places = torch.cat([inside, torch.tensor([low, high], dtype=torch.float64)])
    values = net(places[:, None]).detach()
    return float(values.min()), float(values.max())


def test_one_dimension_is_exact():
    decided = 0
    for seed in range(16):
        net = network((1, 6, 1), nn.ReLU(), seed)
        point, eps = float(seed % 5) / 4, 0.3
        low, high = one_dimensional_range(net, point - eps, point + eps)
        for label in {round((low + high) / 2), round(low), round(high)}:
            arguments = torch.tensor([[point]], dtype=torch.float64), torch.tensor([label])
            found = certify_robust(net, *arguments, eps, 2, pieces=100)
            assert found.lower <= low
            assert found.upper >= high
            margin = 0.5 - max(abs(low - label), abs(high - label))
            if abs(margin) < 1e-6:
                continue
            assert bool(found.certified) == (margin > 0), (seed, label, margin)
            assert bool(found.refuted) == (margin < 0), (seed, label, margin)
            decided += margin > 0
    assert decided >= 4


@pytest.mark.parametrize("order", ORDERS)
def test_a_linear_function_has_its_exact_range(order):
    """w.x over the ball: w.x_i -+ eps ||w||_dual, attained."""
    net = network((4, 1), nn.ReLU(), 3)
    points = torch.randn(6, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    dual = {1: math.inf, 2: 2, math.inf: 1}[order]
    reach = 0.25 * torch.linalg.vector_norm(net[0].weight, dual).item()
    found = certify_robust(net, points, torch.zeros(6).long(), 0.25, order)
    value = net(points).detach()
    torch.testing.assert_close(found.lower, value - reach, rtol=0, atol=1e-13)
    torch.testing.assert_close(found.upper, value + reach, rtol=0, atol=1e-13)


@pytest.mark.parametrize("side", [1.0, -1.0])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_half_of_definition_2_is_strict(side, dtype):
    """g(x) = -+x reaches y -+ 0.5 on the closed ball: refuted; a shade smaller: certified."""
    net = line(side).to(dtype)
    points = torch.tensor([[0.0], [2.0]], dtype=dtype)
    labels = (side * points[:, 0]).long()
    found = certify_robust(net, points, labels, 0.5, math.inf)
    assert not found.certified.any()
    assert found.refuted.all()
    assert ((found.witnesses - points).abs() == 0.5).all()
    assert found.robust_accuracy.upper == 0
    less = certify_robust(net, points, labels, 0.5 - 1e-5, math.inf)
    assert less.certified.all()
    assert not less.refuted.any()
    nearly = certify_robust(line(side), points.double(), labels, math.nextafter(0.5, 0), 1)
    assert not nearly.refuted.any()  # true, and too close for the bounds: open, not certified
    assert not nearly.certified.any()
    assert nearly.robust_accuracy.lower == 0
    assert nearly.robust_accuracy.upper == 1


def test_equal_scores_are_refuted():
    """A tie is no margin; a shade of margin is one."""
    layer = nn.Linear(1, 2, dtype=torch.float64)
    layer.weight.data = torch.tensor([[0.5], [-0.5]]).double()
    layer.bias.data.zero_()
    points, labels = torch.tensor([[1], [-1]]), torch.tensor([7, 9])
    found = certify_robust(nn.Sequential(layer), points, labels, 1.0, 2)
    assert found.refuted.all()
    assert (found.witnesses == 0).all()
    assert certify_robust(nn.Sequential(layer), points, labels, 0.999, 2).certified.all()
    swapped = certify_robust(nn.Sequential(layer), points, labels, 0.1, 2, classes=(9, 7))
    assert swapped.refuted.all()


@pytest.mark.parametrize("hidden", [False, True])
def test_rounding_is_inside_the_bounds(hidden):
    """Cancellation: 1e16 x + y - 1e16 x computed is far from y, and the bounds hold both."""
    last = nn.Linear(3, 1, dtype=torch.float64)
    last.weight.data = torch.tensor([[1e16, 1.0, -1e16]]).double()
    last.bias.data.zero_()
    first = nn.Linear(3, 3, dtype=torch.float64)
    first.weight.data = torch.eye(3, dtype=torch.float64)
    first.bias.data.zero_()
    net = nn.Sequential(first, nn.ReLU(), last) if hidden else nn.Sequential(last)
    point = torch.tensor([[1.0, 0.7, 1.0]], dtype=torch.float64)
    computed = net(point).item()
    assert abs(computed - 0.7) > 0.2  # else the test shows nothing
    for pieces in (0, 1):
        found = certify_robust(net, point, torch.tensor([1]), 0.0, 2, pieces=pieces)
        assert found.lower <= min(0.7, computed)
        assert found.upper >= max(0.7, computed)
        assert not found.certified.any()


@pytest.mark.parametrize("order", ORDERS)
def test_witnesses_lie_in_the_closed_ball_and_break_the_inequality(order):
    net = network((3, 8, 1), nn.ReLU(), 5)
    points = torch.randn(20, 3, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    labels = net(points)[:, 0].round().long()
    found = certify_robust(net, points, labels, 0.1, order)
    assert found.refuted.any()
    assert found.certified.any()
    for row in found.refuted.nonzero()[:, 0].tolist():
        assert in_closed_ball(found.witnesses[row], points[row], 0.1, order)
        assert abs(net(found.witnesses[row]).item() - int(labels[row])) >= 0.5
    assert found.witnesses[~found.refuted].isnan().all()
    assert (found.deviation[found.certified] < 0.5).all()


def dataset(count: int, width: int, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(count)
    points = torch.rand(count, width, generator=generator, dtype=torch.float64).to(dtype)
    return points, torch.randint(1, 4, (count,), generator=generator)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_robust_classifiers_are_certified(order, dtype):
    points, labels = dataset(30, 4, dtype)
    eps = 0.4 * closest_pair(points, labels, order)[2]
    limit = 1e-9 if dtype == torch.float64 else 1e-2
    for output in ("label", "scores"):
        net = robust_classifier(points, labels, eps, order, output=output)
        found = certify_robust(net, points, labels, eps, order)
        assert found.certified.all()
        assert found.output == output
        assert found.robust_accuracy.converged
        assert (found.pieces == 0).all()  # by intervals alone
        assert float(found.deviation.max()) < limit
        wrong = certify_robust(net, points, 4 - labels, eps, order)
        assert (wrong.certified == (labels == 2)).all()
        assert (wrong.refuted == (labels != 2)).all()
    net = inflate_norms(net, 1e6)
    assert certify_robust(net, points, labels, eps, order).certified.all() or dtype == torch.float32


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("where", ["outside", "shell", "inside"])
def test_steep_classifiers_are_certified(order, where):
    points, labels = dataset(8, 2)
    eps = 0.4 * closest_pair(points, labels, order)[2]
    for xi in (1e2, 1e10):
        net = robust_classifier_with_lipschitz(points, labels, eps, order, xi, where)
        found = certify_robust(net, points, labels, eps, order)
        assert found.certified.all()
        assert float(found.deviation.max()) < (0.5 if where == "inside" else 1e-9)
    if where == "shell":  # the tent in the middle of the two classes reaches a larger ball
        larger = certify_robust(net, points, labels, 2 * eps, order, pieces=1)
        assert larger.refuted.any()


def test_nothing_of_the_network_is_touched():
    net = network((2, 3, 1), nn.ReLU(inplace=True), 0).train()
    net[0].weight.requires_grad_(False)
    points = torch.zeros(2, 2, dtype=torch.float64, requires_grad=True)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    with torch.no_grad():
        found = certify_robust(net, points, torch.tensor([0, 50]), 0.5, 2)
    assert found.refuted.any()
    assert net.training
    assert [p.requires_grad for p in net.parameters()] == [False, True, True, True]
    assert all(p.grad is None for p in (*net.parameters(), points))
    assert all(torch.equal(before[name], value) for name, value in net.state_dict().items())


def test_without_pieces_only_intervals_decide():
    """(x + 3)+ - (x + 3)+ = 0: intervals lose the correlation, linear bounds do not."""
    first, last = nn.Linear(1, 2, dtype=torch.float64), nn.Linear(2, 1, dtype=torch.float64)
    first.weight.data.fill_(1.0)
    first.bias.data.fill_(3.0)
    last.weight.data = torch.tensor([[1.0, -1.0]], dtype=torch.float64)
    last.bias.data.zero_()
    net, point = nn.Sequential(first, nn.ReLU(), last), torch.zeros(1, 1, dtype=torch.float64)
    label = torch.tensor([0])
    rough = certify_robust(net, point, label, 0.3, 2, pieces=0)
    assert not rough.certified.any()
    assert not rough.refuted.any()
    assert rough.pieces.item() == 0
    assert certify_robust(net, point, label, 0.2, 2, pieces=0).certified.all()
    fine = certify_robust(net, point, label, 0.3, 2, pieces=1)
    assert fine.certified.all()
    assert float(fine.deviation) < 1e-12


def test_overflow_is_open_and_not_an_error():
    net = nn.Sequential(line(1e200)[0], nn.ReLU(), line(1e200)[0])
    found = certify_robust(net, torch.ones(1, 1).double(), torch.tensor([1]), 0.1, 2)
    assert not found.certified.any()
    assert found.lower == -math.inf


def test_a_module_that_is_used_twice_counts_twice():
    """``network.modules()`` names it once; the shared layer below doubles twice."""
    twice = line(2.0)[0]
    found = certify_robust(
        nn.Sequential(twice, twice), torch.tensor([[1]]), torch.tensor([4]), 0.0, 2
    )
    assert found.certified.all()


def test_a_trailing_flatten_and_nesting_change_nothing():
    net = network((2, 3, 1), nn.ReLU(), 4)
    nested = nn.Sequential(nn.Flatten(), nn.Sequential(*net, nn.Identity()), nn.Flatten(0))
    points, labels = torch.zeros(2, 2).double(), torch.tensor([0, 1])
    plain, other = (certify_robust(f, points, labels, 0.1, 2) for f in (net, nested))
    assert torch.equal(plain.lower, other.lower)
