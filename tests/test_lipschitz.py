"""Lipschitz constants: exact against dense slopes, below the product of norms, above samples."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from nbsrc import lipschitz
from nbsrc.linear_region import jacobian
from nbsrc.lipschitz import (
    jacobian_lower_bound,
    lipschitz_constant,
    lipschitz_lower_bound,
    product_of_norms,
)

ORDERS = (1, 2, math.inf)


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def relu_network(*layers: tuple[list[list[float]], list[float]]) -> nn.Sequential:
    modules: list[nn.Module] = []
    for rows, bias in layers:
        linear = nn.Linear(len(rows[0]), len(rows), dtype=torch.float64)
        linear.weight.data = torch.tensor(rows, dtype=torch.float64)
        linear.bias.data = torch.tensor(bias, dtype=torch.float64)
        modules += [linear, nn.ReLU()]
    return nn.Sequential(*modules[:-1])


def random_network(widths: list[int], seed: int) -> nn.Sequential:
    source = generator(seed)

    def drawn(*shape: int) -> list[Any]:
        numbers: list[Any] = torch.randn(shape, generator=source).tolist()
        return numbers

    return relu_network(*[(drawn(m, n), drawn(m)) for n, m in pairwise(widths)])


def tent(slope: float, height: float, place: float) -> nn.Sequential:
    """relu(height - slope |x - place|)."""
    return relu_network(
        ([[1.0], [-1.0]], [-place, place]), ([[-slope, -slope]], [height]), ([[1.0]], [0.0])
    )


@pytest.mark.parametrize("ord", ORDERS)
@pytest.mark.parametrize("widths", [[1, 8, 8, 2], [2, 6, 6, 3], [3, 4, 4, 2]])
def test_between_dense_samples_and_the_product(widths: list[int], ord: float) -> None:
    """Equal to the largest sampled Jacobian once the samples meet every large region."""
    net = random_network(widths, 0)
    box = (-3.0, 3.0)
    exact = lipschitz_constant(net, ord, box)
    assert exact.converged
    assert exact.relative_width < 1e-11
    x = torch.rand((20000, widths[0]), generator=generator(1), dtype=torch.float64) * 6 - 3
    sampled = float(torch.linalg.matrix_norm(jacobian(net, x), ord).max())
    assert sampled <= exact.upper
    assert sampled == pytest.approx(exact.value, rel=1e-12)
    whole = lipschitz_constant(net, ord)
    assert exact.lower <= whole.upper <= product_of_norms(net, ord).upper
    quotients = lipschitz_lower_bound(net, x[::2], x[1::2], ord)
    assert 0 < quotients <= exact.upper * (1 + 1e-12)
    assert jacobian_lower_bound(net, x[:500], ord) <= exact.upper


@pytest.mark.parametrize("ord", ORDERS)
def test_attained_by_two_points(ord: float) -> None:
    """Definition 1 literally: some pair of points comes within rounding of the constant."""
    net = random_network([2, 5, 5, 2], 3)
    exact = lipschitz_constant(net, ord)
    found = 0.0
    for region in lipschitz.enumerate_regions(net):
        # The unit vectors, signs and singular vectors hold a maximiser for 1, inf and 2.
        _, _, V = torch.linalg.svd(region.weight)
        signs = torch.tensor([[1.0, 1.0], [1.0, -1.0]], dtype=torch.float64)
        steps = torch.cat([torch.eye(2, dtype=torch.float64), signs, V])
        ends = region.point + 0.5 * region.radius * steps
        starts = region.point.expand_as(ends)
        found = max(found, lipschitz_lower_bound(net, starts, ends, ord))
    assert found == pytest.approx(exact.value, rel=1e-9)


@pytest.mark.parametrize("slope", [1e2, 1e6, 1e10])
def test_steep_tents(slope: float) -> None:
    """A spike of width 8e-11 is a region too: on a line nothing is missed."""
    net = tent(slope, 0.4, 1.0)
    constant = lipschitz_constant(net, 2)
    assert constant.value == slope
    assert constant.converged
    assert lipschitz_constant(net, 2, (-1.0, 0.5)).upper == 0.0
    assert product_of_norms(net, math.inf).value == 2 * slope


def test_layer_norms_large_and_constant_zero() -> None:
    """T and -T through a ReLU: the first link of the chain breaks."""
    net = relu_network(([[1e6]], [0.0]), ([[-1e6]], [0.0]), ([[1e6]], [0.0]))
    for p in ORDERS:
        assert lipschitz_constant(net, p).upper == 0.0
        assert product_of_norms(net, p).value == pytest.approx(1e18)


def test_local_below_global() -> None:
    net = relu_network(([[1.0], [1.0]], [0.0, -1.0]), ([[1.0, 2.0]], [0.0]))
    boxes = (None, (-2.0, -1.0), (-1.0, 0.5), (-1.0, 2.0))
    assert [lipschitz_constant(net, 2, b).value for b in boxes] == [3.0, 0.0, 1.0, 3.0]


def test_doubt_widens_the_bracket() -> None:
    """A plane network with a strip thinner than the tolerance: the upper end is the product."""
    box = (-1.0, 1.0)
    net = relu_network(
        ([[1.0, 0.0], [1.0, 0.0]], [0.0, -1e-10]), ([[1.0, -1.0]], [0.0])
    )  # min(relu(x), 1e-10): slope 1 on a strip of width 1e-10
    assert lipschitz_constant(net, 2, box).value == 1.0
    found = lipschitz_constant(net, 2, box, tolerance=1e-9)
    assert not found.converged
    assert found.value == 0.0
    assert found.upper >= 1.0
    thick = relu_network(([[1.0, 0.0], [1.0, 0.0]], [0.0, -1e-3]), ([[1.0, -1.0]], [0.0]))
    assert lipschitz_constant(thick, 2, box, tolerance=1e-9).value == 1.0
    unbounded = lipschitz_constant(net, 2)  # by linear programmes
    assert not unbounded.converged
    assert unbounded.upper >= 1.0


def test_product_of_norms_by_hand() -> None:
    net = nn.Sequential(
        nn.Conv2d(1, 1, 3, padding=1, bias=False), nn.BatchNorm2d(1), nn.LeakyReLU(-2.0),
        nn.MaxPool2d(2), nn.Flatten(), nn.Linear(16, 2),
    ).double().eval()  # fmt: skip
    nn.init.ones_(net[0].weight)
    nn.init.ones_(net[5].weight)
    net[1].running_var.fill_(4.0 - net[1].eps)
    expected = {1: 9 / 2 * 2 * 2, math.inf: 9 / 2 * 2 * 16}
    for p, value in expected.items():
        assert product_of_norms(net, p, (1, 8, 8)).value == pytest.approx(value, rel=1e-12)
    two = product_of_norms(net, 2, (1, 8, 8))
    row = torch.ones(8, 8, dtype=torch.float64).tril(1).triu(-1)
    conv = float(torch.linalg.matrix_norm(row, 2)) ** 2
    assert two.value == pytest.approx(conv / 2 * 2 * math.sqrt(32), rel=1e-6)


def test_a_shared_layer_counts_as_often_as_it_is_called() -> None:
    layer = nn.Linear(1, 1, bias=False)
    nn.init.constant_(layer.weight, 3.0)
    assert product_of_norms(nn.Sequential(layer, nn.ReLU(), layer), 1).value == 9.0


def test_products_that_would_be_no_bound_are_refused() -> None:
    """Overlapping windows: a max-pool of norm above 1, shown by two points."""
    net = nn.Sequential(nn.MaxPool2d((1, 2), stride=1))
    start = torch.zeros(1, 1, 1, 3, dtype=torch.float64)
    end = torch.tensor([[[[0.0, 1.0, 0.0]]]], dtype=torch.float64)
    assert lipschitz_lower_bound(net, start, end, 1) == 2.0
    for pool in (net[0], nn.AvgPool2d(2, stride=1), nn.AdaptiveAvgPool2d(2)):
        for p in (1, 2):
            with pytest.raises(NotImplementedError, match="windows do not overlap"):
                product_of_norms(nn.Sequential(pool), p, (1, 2, 3))
        assert product_of_norms(nn.Sequential(pool), math.inf, (1, 2, 3)).value == 1.0


class Branching(nn.Module):
    """x + relu(x)."""

    def forward(self, x: Tensor) -> Tensor:
        return x + torch.relu(x)


def test_branches_are_refused() -> None:
    with pytest.raises(NotImplementedError, match="without branches"):
        product_of_norms(Branching(), 2, (3,))


def test_a_jacobian_on_a_kink_proves_nothing() -> None:
    """x - relu(x) + relu(-x) = 0 gets the slope 1 from back-propagation at 0."""
    net = relu_network(([[1.0], [1.0], [-1.0]], [1.0, 0.0, 0.0]), ([[1.0, -1.0, 1.0]], [-1.0]))
    zero = torch.zeros(1, 1, dtype=torch.float64)
    assert jacobian(net, zero).item() == 1.0
    flat = lipschitz_constant(net, 2, (-0.5, 0.5))
    assert flat.value == 0.0
    assert flat.upper < 1e-12
    with pytest.raises(ValueError, match="x must have a point off the kinks, got 1 points"):
        jacobian_lower_bound(net, zero, 2)
    near = torch.tensor([[0.0], [0.25]], dtype=torch.float64)
    assert jacobian_lower_bound(net, near, 2) == 0.0


def test_errors() -> None:
    net, x = random_network([2, 3, 1], 0), torch.zeros(2, 2, dtype=torch.float64)
    for call in (
        lambda: lipschitz_constant(net, 3),
        lambda: product_of_norms(net, 3),
        lambda: lipschitz_lower_bound(net, x, x + 1, 3),
        lambda: jacobian_lower_bound(net, x, 3),
    ):
        with pytest.raises(ValueError, match=r"ord must be 1, 2 or math.inf, got 3"):
            call()
    other = x.clone()
    other[0] += 1
    with pytest.raises(ValueError, match="must differ in every pair, equal in pair 1"):
        lipschitz_lower_bound(net, x, other, 2)
    with pytest.raises(ValueError, match=r"one shape \[pairs, \*input\] with at least one pair"):
        lipschitz_lower_bound(net, x, x[:1], 2)


def test_a_planted_bug_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Negative control: with the first region left out the constant is wrong."""
    net = relu_network(([[1.0], [-2.0]], [0.0, 0.0]), ([[1.0, 1.0]], [0.0]))
    assert lipschitz_constant(net, 2).value == 2.0
    true = lipschitz.enumerate_regions

    def without_first(*arguments, **options):  # type: ignore[no-untyped-def]
        regions = true(*arguments, **options)
        return type(regions)(regions.items[1:], regions.tolerance, regions.doubtful)

    monkeypatch.setattr(lipschitz, "enumerate_regions", without_first)
    assert lipschitz_constant(net, 2).value == 1.0
