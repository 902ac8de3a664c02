"""Region radii: balls inside keep the pattern, the next hyperplane is touched."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from nbsrc.linear_region import activation_pattern, radius, region_halfspaces, region_radius
from tests.linear_region.region_networks import from_integers, generator, mlp, zoo

NETS = zoo()
DUAL = {1: math.inf, 2: 2, math.inf: 1}


def steepest_step(g: Tensor, ord: float) -> Tensor:
    """The step of lp length 1 along which g decreases fastest."""
    if ord == 2:
        return -g / g.norm()
    if ord == math.inf:
        return -g.sign()
    step = torch.zeros_like(g)
    step[g.abs().argmax()] = -g[g.abs().argmax()].sign()
    return step


@pytest.mark.parametrize("ord", [1, 2, math.inf])
@pytest.mark.parametrize("name", [n for n in NETS if n != "one linear layer"])
def test_exact(name: str, ord: float) -> None:
    """Inside the ball the pattern never changes; a step past it along a known direction does."""
    net, shape = NETS[name]
    x = torch.randn(1, *shape, generator=generator(8), dtype=torch.float64)
    r = region_radius(net, x, ord)
    assert 0 < r < math.inf
    pattern = activation_pattern(net, x)
    z = torch.randn(300, x.numel(), generator=generator(9), dtype=torch.float64)
    z = z / torch.linalg.vector_norm(z, ord, dim=1, keepdim=True)
    inside = x + 0.999999 * r * z.reshape(-1, *shape)
    assert activation_pattern(net, inside).same_as(pattern).all()
    G, h = region_halfspaces(net, x)
    norms = torch.linalg.vector_norm(G, DUAL[ord], dim=1)
    distances = torch.where(norms > 0, (h - G @ x.flatten()) / norms, math.inf)
    nearest = int(distances.argmin())
    assert abs(float(distances[nearest] - r)) < 1e-10
    beyond = x + 1.000001 * r * steepest_step(-G[nearest], ord).reshape(x.shape)
    assert not activation_pattern(net, beyond).same_as(pattern).any()


@pytest.mark.parametrize("name", NETS)
def test_the_halfspaces_are_the_region(name: str) -> None:
    """Membership in the polyhedron against patterns, on dense samples at all scales."""
    net, shape = NETS[name]
    x = torch.randn(1, *shape, generator=generator(10), dtype=torch.float64)
    G, h = region_halfspaces(net, x)
    if not len(G):
        assert name == "one linear layer"
        return
    scales = torch.logspace(-4, 1, 500, dtype=torch.float64)[:, None]
    z = x.flatten() + scales * torch.randn(500, x.numel(), generator=generator(11)).double()
    member = (z @ G.T <= h).all(dim=1)
    same = activation_pattern(net, x).same_as(activation_pattern(net, z.reshape(-1, *shape)))
    assert torch.equal(member, same)
    assert member.any()
    assert not member.all()


def test_chunks_do_not_matter() -> None:
    for name in ("residual", "leaky"):
        net, shape = NETS[name]
        x = torch.randn(2, *shape, generator=generator(12), dtype=torch.float64)
        for p in (1, 2, math.inf):
            few = region_radius(net, x, p, memory_limit=1)
            assert (few - region_radius(net, x, p)).abs().max() < 1e-14


def test_by_hand() -> None:
    """relu(x + 2y - 1), relu(relu(..) - 3): at (3, 0) the distances are 2 and 1 over the norm."""
    net = from_integers([([[1, 2]], [-1]), ([[1]], [-3]), ([[1]], [0])])
    x = torch.tensor([[3.0, 0.0]], dtype=torch.float64)
    expected = {1: 0.5, 2: 1 / math.sqrt(5), math.inf: 1 / 3}
    for p, r in expected.items():
        assert float(region_radius(net, x, p)) == pytest.approx(r, rel=1e-15)
    # With the first unit off the second is constant: only the first counts.
    off = torch.tensor([[-1.0, 0.0]], dtype=torch.float64)
    assert float(region_radius(net, off, 1)) == 1.0


def test_zero_exactly_on_kinks() -> None:
    net = from_integers([([[1, 1], [1, -1]], [-2, 0]), ([[1, 1]], [-4]), ([[1]], [0])])
    kinks = torch.tensor([[1.0, 1.0], [2.0, 0.0], [3.0, 1.0], [5.0, 5.0]], dtype=torch.float64)
    for p in (1, 2, math.inf):
        assert region_radius(net, kinks, p).tolist() == [0.0, 0.0, 0.0, 0.0]
    free = torch.tensor([[3.0, 0.0]], dtype=torch.float64)  # relu(1) + relu(3) - 4 = 0: a kink
    assert region_radius(net, free, 2).item() == 0.0
    assert region_radius(net, free + 1, 2).item() > 0.0


def test_a_unit_that_never_changes_does_not_count() -> None:
    """A dead unit with pre-activation exactly 0 everywhere is no kink."""
    net = from_integers([([[0, 0], [1, 0]], [0, -1]), ([[1, 1]], [0])])
    assert region_radius(net, torch.zeros(1, 2, dtype=torch.float64), 2).tolist() == [1.0]
    constant = from_integers([([[0, 0]], [-1]), ([[1]], [0])])
    assert region_radius(constant, torch.zeros(1, 2, dtype=torch.float64), 2).tolist() == [math.inf]
    assert region_radius(nn.Linear(2, 1), torch.zeros(1, 2), 2).tolist() == [math.inf]


def test_zeros_in_a_pooling_window_after_relu_are_no_tie() -> None:
    net = nn.Sequential(nn.ReLU(), nn.MaxPool2d(2))
    x = torch.tensor([[[[-1.0, -2.0], [-3.0, -4.0]]]], dtype=torch.float64)
    assert region_radius(net, x, 2).tolist() == [1.0]
    tie = torch.tensor([[[[1.0, 1.0], [-3.0, -4.0]]]], dtype=torch.float64)
    assert region_radius(net, tie, 2).tolist() == [0.0]


def test_errors() -> None:
    net, x = mlp([2, 3, 1], 0), torch.zeros(2, 2, dtype=torch.float64)
    with pytest.raises(ValueError, match=r"ord must be 1, 2 or math.inf, got 3"):
        region_radius(net, x, 3)
    with pytest.raises(ValueError, match=r"x must be one input \[1, \*input\], got a batch of 2"):
        region_halfspaces(net, x)
    with pytest.raises(ValueError, match="memory_limit must be a positive"):
        region_radius(net, x, 2, memory_limit=0)


def test_a_planted_bug_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Negative control: the norm itself for its dual changes the radius."""
    net, shape = NETS["six layers"]
    x = torch.randn(1, *shape, generator=generator(8), dtype=torch.float64)
    right = region_radius(net, x, math.inf)
    true = radius._dual_norms
    monkeypatch.setattr(radius, "_dual_norms", lambda a, b, c, ord, n: true(a, b, c, 1, n))
    assert (region_radius(net, x, math.inf) - right).abs() > 1e-3
