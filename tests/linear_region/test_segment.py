"""segment_regions against dense sampling, autograd and exact small cases."""

from __future__ import annotations

import copy
import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from nbsrc.linear_region import (
    RegionLimitError,
    SegmentRegions,
    activation_pattern,
    crossings,
    enumerate_regions,
    jacobian,
    segment_regions,
    walk,
)
from nbsrc.models import digits_cnn
from tests.linear_region.exact_walk import breakpoints, exact_pieces, slopes
from tests.linear_region.region_networks import from_integers, generator, mlp, zoo

ZOO = zoo()


def ends(shape: tuple[int, ...], seed: int) -> tuple[Tensor, Tensor]:
    x0, x1 = torch.randn(2, *shape, generator=generator(seed), dtype=torch.float64)
    return x0, x1


def middles(regions: SegmentRegions) -> Tensor:
    return regions.points((regions.breakpoints[1:] + regions.breakpoints[:-1]) / 2)


def worst_value_error(net: nn.Module, regions: SegmentRegions, count: int = 2001) -> float:
    t = torch.cat([torch.linspace(0, 1, count, dtype=torch.float64), regions.breakpoints])
    with torch.no_grad():
        truth = net(regions.points(t)).flatten(1)
    return float((truth - regions.value(t)).abs().max() / truth.abs().max())


@pytest.mark.parametrize("name", ZOO)
@pytest.mark.parametrize("seed", [0, 1])
def test_all_supported_networks(name: str, seed: int) -> None:
    net, shape = ZOO[name]
    regions = segment_regions(net, *ends(shape, seed))
    assert worst_value_error(net, regions) < 1e-12
    inside = middles(regions)
    pattern = activation_pattern(net, inside)
    assert bool(pattern.same_as(regions.pattern).all())
    keys = [pattern.key(i) for i in range(len(regions))]
    assert len(set(keys)) == len(keys)  # regions are convex: each is met once
    J = jacobian(net, inside)
    direction = (regions.x1 - regions.x0).flatten()
    assert torch.allclose(J.flatten(2) @ direction, regions.slope, rtol=1e-10, atol=1e-12)
    for j in {0, len(regions) // 2, len(regions) - 1}:
        A, b = regions.affine(j)
        assert torch.allclose(A, J[j], rtol=1e-12, atol=1e-14)
        value = A.flatten(1) @ inside[j].flatten() + b
        assert torch.allclose(value, net(inside[j : j + 1]).flatten(), rtol=1e-10)


@pytest.mark.parametrize("name", ZOO)
def test_sampling_finds_no_other_pattern(name: str) -> None:
    net, shape = ZOO[name]
    regions = segment_regions(net, *ends(shape, 2))
    t = torch.rand(4000, generator=generator(0), dtype=torch.float64)
    far = (t[:, None] - regions.breakpoints).abs().min(dim=1).values > 1e-12
    sampled = activation_pattern(net, regions.points(t[far])).codes
    assert torch.equal(sampled, regions.pattern.codes[regions.piece(t[far])])


def test_same_regions_as_the_enumeration_on_a_line() -> None:
    net = mlp([1, 6, 6, 2], 3)
    found = segment_regions(net, torch.tensor([-4.0]).double(), torch.tensor([4.0]).double())
    listed = sorted(enumerate_regions(net, box=(-4, 4)), key=lambda r: float(r.point))
    assert len(found) == len(listed)
    for j, region in enumerate(listed):
        A, b = found.affine(j)
        assert torch.allclose(A, region.weight, atol=1e-14)
        assert torch.allclose(b, region.bias, atol=1e-14)


def test_breakpoints_are_zeros_of_units() -> None:
    net = mlp([4, 30, 30, 30, 2], 5)
    x0, x1 = ends((4,), 1)
    regions = segment_regions(net, 3 * x0, 3 * x1)
    assert len(regions) > 20
    for t in regions.breakpoints[1:-1]:
        x, values = regions.points(t[None]), []
        for layer in net:
            if isinstance(layer, nn.ReLU):
                values.append(x.abs().min())
            x = layer(x)
        assert min(values) < 1e-14


def show(layers, x0, x1) -> tuple[list[float], list[list[float]], list[int]]:
    regions = segment_regions(from_integers(layers), *(torch.tensor(x).double() for x in (x0, x1)))
    return regions.breakpoints.tolist(), regions.slope.tolist(), regions.zeros.tolist()


def test_units_with_one_zero_make_one_breakpoint() -> None:
    three = [([[1], [-1], [3]], [0, 0, 0]), ([[1, 1, 1]], [0])]
    assert show(three, [-1.0], [1.0]) == ([0, 0.5, 1], [[-2], [8]], [0, 0])
    thirds = [([[3], [9], [27]], [-1, -3, -9]), ([[1, 1, 1]], [0])]
    assert len(show(thirds, [0.0], [1.0])[0]) == 3


def test_touching_without_crossing() -> None:
    """The second rectifier sees |x|, which touches 0 where the first layer has its kink."""
    net = [([[1], [-1]], [0, 0]), ([[1, 1]], [0]), ([[1]], [0])]
    assert show(net, [-1.0], [1.0]) == ([0, 0.5, 1], [[-2], [2]], [0, 0])
    lifted = [([[1], [-1]], [0, 0]), ([[-1, -1]], [0]), ([[1]], [0])]  # -|x| is never positive
    assert show(lifted, [-1.0], [1.0]) == ([0, 0.5, 1], [[0], [0]], [0, 0])


def test_inside_a_hyperplane() -> None:
    unit = [([[0, 1]], [0]), ([[1]], [0])]
    assert show(unit, [-1.0, 0.0], [1.0, 0.0]) == ([0, 1], [[0]], [1])
    tilted = [([[1, 3]], [-1]), ([[1]], [0])]  # x + 3 y = 1 at (1, 0) and (0, 1/3): with rounding
    assert show(tilted, [1.0, 0.0], [0.0, 1 / 3])[0] == [0, 1]
    both = [([[0, 1], [1, 0]], [0, 0]), ([[1, 1]], [0])]
    assert show(both, [-1.0, 0.0], [1.0, 0.0]) == ([0, 0.5, 1], [[0], [2]], [1, 1])


@pytest.mark.parametrize(
    ("x0", "x1", "slope"), [(0.0, 1.0, 1.0), (1.0, 0.0, -1.0), (0.0, -1.0, 0.0), (-1.0, 0.0, 0.0)]
)
def test_ends_on_a_kink_take_the_side_of_the_segment(x0: float, x1: float, slope: float) -> None:
    assert show([([[1]], [0]), ([[1]], [0])], [x0], [x1]) == ([0, 1], [[slope]], [0])


@pytest.mark.parametrize(("x", "zeros"), [(1.0, 0), (0.0, 1), (-1.0, 0)])
def test_a_segment_of_length_zero(x: float, zeros: int) -> None:
    assert show([([[1]], [0]), ([[1]], [0])], [x], [x]) == ([0, 1], [[0]], [zeros])


def test_max_pool_ties() -> None:
    """Windows of (t, 1 - t): corner at 1/2; of (t, t): none; of (t, 2 t, 3 t - 1): two corners."""
    pool = nn.MaxPool2d((1, 3))

    def run(a: list[float], b: list[float]) -> SegmentRegions:
        return segment_regions(pool, *(torch.tensor(v).double().reshape(1, 1, 3) for v in (a, b)))

    assert run([0, 1, -5], [1, 0, -5]).breakpoints.tolist() == [0, 0.5, 1]
    assert len(run([0, 0, -5], [1, 1, -5])) == 1
    three = run([0, -1, -5], [1, 2, 7])  # t, 3 t - 1, 12 t - 5
    assert three.breakpoints.tolist() == pytest.approx([0, 5 / 11, 1])  # 3 t - 1 is skipped
    assert three.slope.tolist() == [[1], [12]]
    corner = run([0, -1, -3], [1, 2, 4])  # all three lines meet at 1/2: one corner, t to 7 t - 3
    assert (corner.breakpoints.tolist(), corner.slope.tolist()) == ([0, 0.5, 1], [[1], [7]])
    assert run([1, 1, 1], [1, 1, 1]).slope.tolist() == [[0]]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(-3, 3), min_size=8, max_size=8),
    st.lists(st.integers(-2, 2), min_size=4, max_size=4),
    st.tuples(*[st.integers(-3, 3)] * 4),
)
def test_small_integers_against_exact_patterns(
    weights: list[int], biases: list[int], points: tuple[int, ...]
) -> None:
    """Kinks everywhere: the function and its one-sided derivatives are those of the network."""
    net = from_integers([
        ([weights[:2], weights[2:4]], biases[:2]),
        ([weights[4:6], weights[6:]], biases[2:]),
        ([[1, 1], [1, -1]], [0, 0]),
    ])  # fmt: skip
    x0, x1 = (torch.tensor(p).double() for p in (points[:2], points[2:]))
    regions = segment_regions(net, x0, x1)
    t = torch.linspace(0, 1, 301, dtype=torch.float64)
    assert torch.allclose(net(regions.points(t)), regions.value(t), atol=1e-12)
    assert float(regions.weights.min()) > 1e-4  # zeros are fractions with small denominators
    quarter = regions.breakpoints[:-1] + regions.weights / 4
    step = regions.weights[:, None] / 2
    with torch.no_grad():
        rise = net(regions.points(quarter + step[:, 0])) - net(regions.points(quarter))
    assert torch.allclose(rise / step, regions.slope, atol=1e-9)


@pytest.mark.parametrize("whole", [True, False])
def test_against_rational_numbers(whole: bool) -> None:
    """Deep networks with overlapping windows: the same pieces as in exact arithmetic, to 1e-12.

    Whole numbers make ties in windows, units without input, zeros that agree, and segments inside
    hyperplanes; others have weights of very different sizes.
    """
    met = 0
    for seed in range(40):
        source = generator(seed)

        def numbers(*shape: int, g: torch.Generator = source) -> Tensor:
            if whole:
                return torch.randint(-2, 3, shape, generator=g).double()
            return torch.randn(shape, generator=g).double()

        widths, stride = [1 + seed % 3, 6, 6, 4 + seed % 2, 2], 1 + seed % 2
        layers: list[nn.Module] = []
        for before, after in itertools.pairwise(widths):
            pooled = bool(layers) and isinstance(layers[-1], nn.MaxPool2d)
            layer = nn.Linear((before - 2) // stride + 1 if pooled else before, after)
            scale = 1.0 if whole else 10 ** (4 * torch.rand(after, 1, generator=source) - 2)
            layer.weight.data = numbers(*layer.weight.shape) * scale
            layer.bias.data = (numbers(after, 1) * scale)[:, 0] * (seed % 4 > 0)
            layers += [layer, nn.ReLU()]
            if after == 6 and seed % 3:  # inputs are images of one row
                layers.append(nn.MaxPool2d((1, 2), (1, stride)))
        net = nn.Sequential(*layers[:-1]).double()
        x0, x1 = numbers(1, 1, widths[0]), numbers(1, 1, widths[0])
        pieces, found = exact_pieces(net, x0, x1), segment_regions(net, x0, x1)
        assert found.breakpoints.tolist() == pytest.approx(breakpoints(pieces), abs=1e-12)
        truth = slopes(pieces)
        assert float((truth - found.slope).abs().max()) <= 1e-12 * float(truth.abs().max())
        met += len(pieces)
    assert met > 100


def test_lengths() -> None:
    net = mlp([3, 7, 7, 4], 0)
    regions = segment_regions(net, *ends((3,), 4))
    for p in (1, 2, math.inf):
        dense = net(regions.points(regions.breakpoints)).detach()
        steps = torch.linalg.vector_norm(dense.diff(dim=0), p, dim=1)
        assert regions.path_length(p) == pytest.approx(float(steps.sum()))
        assert regions.chord(p) == pytest.approx(
            float(torch.linalg.vector_norm(dense[-1] - dense[0], p))
        )
        assert regions.path_length(p) >= regions.chord(p)
    assert float(regions.weights.sum()) == pytest.approx(1)


def test_float32_networks_are_read_exactly() -> None:
    net = digits_cnn(generator=generator(0)).eval()
    x0, x1 = torch.rand(2, 1, 8, 8, generator=generator(1))
    found = segment_regions(net, x0, x1)
    exact = segment_regions(copy.deepcopy(net).double(), x0.double(), x1.double())
    assert torch.equal(found.breakpoints, exact.breakpoints)
    assert found.offset.dtype == torch.float64
    with torch.no_grad():
        assert torch.allclose(net(x1[None])[0].double(), found.value(torch.ones(()))[:], atol=1e-5)
    assert next(net.parameters()).dtype == torch.float32  # untouched


def test_tiny_units_beside_large_ones() -> None:
    """Rounding is judged unit by unit: a unit of size 1e-30 keeps its breakpoint."""
    net = from_integers([([[1], [1]], [0, 0]), ([[1, 1]], [0])])
    net[0].weight.data[1], net[0].bias.data[1] = 1e-30, -5e-31
    net[2].weight.data[0, 1] = 1e30
    regions = segment_regions(net, torch.tensor([-1.0]).double(), torch.tensor([1.0]).double())
    assert regions.breakpoints.tolist() == [0, 0.5, 0.75, 1]
    assert regions.slope.flatten().tolist() == pytest.approx([0, 2, 4])


def test_values_whose_squares_overflow_are_refused() -> None:
    """No rounding error can be estimated there: an error, not a wrong region."""
    net = from_integers([([[1], [1]], [0, -1]), ([[1, 1]], [0])])
    net[0].weight.data *= 1e100
    net[2].weight.data *= 1e100
    with pytest.raises(OverflowError, match=r"layer '2': squares of values overflow"):
        segment_regions(net, torch.zeros(1).double(), torch.ones(1).double())
    net[0].weight.data *= 1e-160
    net[0].bias.data *= 1e-60
    assert len(segment_regions(net, torch.zeros(1).double(), torch.ones(1).double())) == 1


def test_piece_takes_the_side_behind_a_breakpoint() -> None:
    net = from_integers([([[1]], [0]), ([[1]], [0])])
    regions = segment_regions(net, torch.tensor([-1.0]).double(), torch.tensor([1.0]).double())
    assert regions.piece(torch.tensor([0.0, 0.49, 0.5, 1.0])).tolist() == [0, 0, 1, 1]
    with pytest.raises(ValueError, match="between 0 and 1"):
        regions.value(torch.tensor([1.5]))


def test_refusals() -> None:
    net = mlp([2, 5, 2], 0)
    zero, one = torch.zeros(2).double(), torch.ones(2).double()
    with pytest.raises(NotImplementedError, match=r"layer '1' \(GELU\)"):
        segment_regions(nn.Sequential(nn.Linear(2, 2), nn.GELU()), zero.float(), one.float())
    with pytest.raises(TypeError, match="x1 must be a tensor"):
        segment_regions(net, zero, [1.0, 1.0])  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="one shape"):
        segment_regions(net, zero, torch.ones(3, 2).double())
    with pytest.raises(ValueError, match="dtype"):
        segment_regions(net, zero.float(), one.float())
    with pytest.raises(ValueError, match="finite"):
        segment_regions(net, zero, one * math.nan)
    with pytest.raises(ValueError, match="max_regions"):
        segment_regions(net, zero, one, max_regions=0)
    kinks = from_integers([([[1], [1], [1]], [0, -1, -2]), ([[1, 1, 1]], [0])])
    with pytest.raises(RegionLimitError, match="more than max_regions = 2"):
        segment_regions(kinks, torch.tensor([-1.0]).double(), torch.tensor([5.0]).double(),
                        max_regions=2)  # fmt: skip


def _dropping(keep: float):
    """A planted bug: only part of the breakpoints are inserted."""

    def cut(breakpoints, doubts, cuts):
        number = int(keep * len(cuts.time))
        fewer = crossings.Cuts(cuts.piece[:number], cuts.time[:number], cuts.doubt[:number])
        return crossings.cut_at(breakpoints, doubts, fewer)

    return cut


@pytest.mark.parametrize("bug", ["missed breakpoints", "gates of the start", "bias on the slope"])
def test_planted_bugs_are_noticed(bug: str, monkeypatch: pytest.MonkeyPatch) -> None:
    net, x = mlp([5, 8, 8, 3], 0), ends((5,), 0)
    assert worst_value_error(net, segment_regions(net, *x)) < 1e-12
    if bug == "missed breakpoints":
        monkeypatch.setattr(walk, "cut_at", _dropping(0.0))
    elif bug == "gates of the start":
        monkeypatch.setattr(crossings.Lines, "at", lambda self, times: self.values[0])
    else:
        right = walk._affine

        def wrong(operation, given):
            lines = right(operation, given)
            zero = torch.zeros_like(given[0].values[1])
            lines.values[1] += operation.full(*[zero for _ in given])
            return lines

        monkeypatch.setattr(walk, "_affine", wrong)
    assert worst_value_error(net, segment_regions(net, *x)) > 1e-6


def test_cut_at_prefers_the_certain_ones() -> None:
    """A doubtful cut between two certain ones does not merge them."""
    cuts = crossings.Cuts(*(np.array(v) for v in (
        [0.0, 0.0, 0.0], [0.500, 0.495, 0.505], [0.01, 1e-15, 1e-15]
    )))  # fmt: skip
    base = np.array([0.0, 1.0])
    times, _, parents = crossings.cut_at(base, 0 * base, cuts)
    assert times.tolist() == [0, 0.495, 0.505, 1]
    assert parents.tolist() == [0, 0, 0]
    for order in itertools.permutations(range(3)):
        shuffled = crossings.Cuts(*(v[list(order)] for v in (cuts.piece, cuts.time, cuts.doubt)))
        assert crossings.cut_at(base, 0 * base, shuffled)[0].tolist() == times.tolist()
