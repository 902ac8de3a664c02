"""Every region, none twice, none that does not exist: against sampling, brute force and by hand."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog
from torch import Tensor, nn

from nbsrc.linear_region import (
    RegionLimitError,
    Regions,
    activation_pattern,
    affine_map,
    enumerate_regions,
    enumeration,
    region_halfspaces,
)
from tests.linear_region.region_networks import from_integers, generator, mlp, randomise

CASES = [
    ([1, 9, 9, 9, 9, 9, 2], None),
    ([1, 6, 6, 1], (-2.0, 2.0)),
    ([2, 7, 7, 7, 2], (-2.0, 2.0)),
    ([2, 5, 4, 2], None),
    ([3, 4, 4, 1], (-2.0, 2.0)),
    ([4, 4, 2, 2], None),
]


def keys(regions: Regions) -> set[bytes]:
    return {region.pattern.key(0) for region in regions}


def sampled_keys(net: nn.Module, z: Tensor) -> set[bytes]:
    return {row.numpy().tobytes() for row in activation_pattern(net, z).codes.unique(dim=0)}


@pytest.mark.parametrize(("widths", "box"), CASES)
@pytest.mark.parametrize("slope", [None, 0.3])
def test_dense_samples_lie_in_found_regions(
    widths: list[int], box: tuple[float, float] | None, slope: float | None
) -> None:
    net = mlp(widths, 1, slope)
    regions = enumerate_regions(net, box)
    assert regions.doubtful == 0
    assert len(keys(regions)) == len(regions)
    shape = (4000, widths[0])
    z = torch.rand(shape, generator=generator(2), dtype=torch.float64) * 4 - 2
    z = z if box else 3 * torch.randn(shape, generator=generator(3), dtype=torch.float64)
    assert sampled_keys(net, z) <= keys(regions)
    for region in regions:
        # The interior point proves the region: pattern, map, and room around it.
        point = region.point[None]
        assert torch.equal(activation_pattern(net, point).codes, region.pattern.codes)
        A, b = affine_map(net, point)
        assert (A[0] - region.weight).abs().max() < 1e-12
        assert (b[0] - region.bias).abs().max() < 1e-12
        assert (A[0] - region.weight).abs().le(region.error).all()
        assert region.radius > regions.tolerance
        slack = region.offsets - region.normals @ region.point
        assert slack.min() >= region.radius - 1e-12


@pytest.mark.parametrize(("widths", "box"), CASES[1:5])
def test_halfspaces_agree_with_those_of_the_network(
    widths: list[int], box: tuple[float, float] | None
) -> None:
    """The description by cuts and the one by all units hold the same samples of the domain."""
    net = mlp(widths, 4)
    z = torch.rand((2000, widths[0]), generator=generator(5), dtype=torch.float64) * 4 - 2
    for region in itertools.islice(enumerate_regions(net, box), 40):
        G, h = region_halfspaces(net, region.point[None])
        near = region.point + region.radius * 3 * (z / 2)
        near = near[(near.abs() < 2).all(dim=1)] if box else near
        direct = (near @ G.T <= h).all(dim=1)
        assert torch.equal(direct, (near @ region.normals.T <= region.offsets).all(dim=1))


def brute_force_keys(weights: list[np.ndarray], biases: list[np.ndarray], box: float) -> set[bytes]:
    """All patterns of a two-hidden-layer network with a ball of radius 1e-7, one programme each."""
    (W1, W2), (b1, b2) = weights, biases
    found = set()
    n = W1.shape[1]
    for gates in itertools.product([0.0, 1.0], repeat=len(W1) + len(W2)):
        s1, s2 = np.array(gates[: len(W1)]), np.array(gates[len(W1) :])
        G = np.vstack([W1, (W2 * s1) @ W1])
        c = np.concatenate([b1, (W2 * s1) @ b1 + b2])
        sign = 2 * np.concatenate([s1, s2]) - 1
        norms = np.linalg.norm(G, axis=1)
        if ((norms == 0) & ((c > 0) != (sign > 0))).any():
            continue  # a unit that never changes is on where its constant is positive
        rows = np.hstack([-sign[:, None] * G, norms[:, None]])
        result = linprog(
            np.append(np.zeros(n), -1.0), rows, sign * c, bounds=[(-box, box)] * n + [(0, 1)]
        )
        if result.status == 0 and result.x[-1] > 1e-7:
            found.add(np.array(gates, dtype=np.int64).tobytes())
    return found


@pytest.mark.parametrize("inputs", [1, 2, 3])
def test_against_all_patterns(inputs: int) -> None:
    net = mlp([inputs, 4, 3, 1], 6)
    weights = [layer.weight.detach().numpy() for layer in (net[0], net[2])]
    biases = [layer.bias.detach().numpy() for layer in (net[0], net[2])]
    # Large enough to reach all regions of these weights; larger than the balls' cap.
    expected = brute_force_keys(weights, biases, 1e4)
    assert keys(enumerate_regions(net, (-1e4, 1e4))) == expected
    assert keys(enumerate_regions(net)) == expected


def integers(count: int, largest: int) -> st.SearchStrategy[list[int]]:
    return st.lists(st.integers(-largest, largest), min_size=count, max_size=count)


@settings(max_examples=12, deadline=None, derandomize=True)
@given(
    first=st.lists(integers(2, 2), min_size=3, max_size=3),
    second=st.lists(integers(3, 2), min_size=2, max_size=2),
    biases=integers(5, 1),
)
def test_small_integers(first: list[list[int]], second: list[list[int]], biases: list[int]) -> None:
    """Concurrent, parallel and equal lines, zero rows, kinks on kinks: against all patterns."""
    net = from_integers([(first, biases[:3]), (second, biases[3:]), ([[1, 1]], [0])])
    weights = [layer.weight.detach().numpy() for layer in (net[0], net[2])]
    constants = [layer.bias.detach().numpy() for layer in (net[0], net[2])]
    expected = brute_force_keys(weights, constants, 1e3)
    for domain in ((-1e3, 1e3), None):
        found = enumerate_regions(net, domain)
        assert found.doubtful == 0
        assert keys(found) == expected


def test_by_hand() -> None:
    """Two lines through 0 in general position: 4 regions; three through one point: 6; plus one."""
    two = from_integers([([[1, 0], [0, 1]], [0, 0]), ([[1, 1]], [0])])
    three = from_integers([([[1, 0], [0, 1], [1, 1]], [0, 0, 0]), ([[1, 1, 1]], [0])])
    moved = from_integers([([[1, 0], [0, 1], [1, 1]], [0, 0, 1]), ([[1, 1, 1]], [0])])
    for domain in (None, (-9.0, 9.0)):
        found = [enumerate_regions(net, domain) for net in (two, three, moved)]
        assert [len(regions) for regions in found] == [4, 6, 7]
        assert [regions.doubtful for regions in found] == [0, 0, 0]


def test_one_dimension_is_exact() -> None:
    """Breakpoints 0, 1/2, 1 of a tent; two kinks at one place leave no sliver."""
    tent = from_integers([([[2], [4], [2]], [0, -2, -2]), ([[1, -1, 1]], [0])])
    regions = enumerate_regions(tent)
    assert [r.weight.item() for r in regions] == [0.0, 2.0, -2.0, 0.0]
    ends = [
        sorted((h / n).item() for n, h in zip(r.normals, r.offsets, strict=True)) for r in regions
    ]
    assert ends == [[0.0], [0.0, 0.5], [0.5, 1.0], [1.0]]
    thirds = from_integers([([[3], [6], [9]], [-1, -2, -3]), ([[1, 1, 1]], [0])])
    assert len(enumerate_regions(thirds)) == 2


def test_units_that_never_change() -> None:
    """A zero row, a unit off everywhere, a unit that repeats another."""
    net = from_integers([
        ([[0, 0], [1, 0], [1, 0]], [5, 0, 0]),
        ([[0, -1, -1], [1, 1, 1]], [-1, 0]),
        ([[1, 1]], [0]),
    ])
    for domain in (None, (-1.0, 1.0)):
        regions = enumerate_regions(net, domain)
        assert sorted(r.weight.tolist() for r in regions) == [[[0.0, 0.0]], [[2.0, 0.0]]]


def test_domains() -> None:
    net = from_integers([([[1, 0], [0, 1]], [0, 0]), ([[1, 1]], [0])])
    assert len(enumerate_regions(net, ([0.5, -1.0], [1.0, 1.0]))) == 2
    assert len(enumerate_regions(net, (torch.tensor([-math.inf, 1.0]), torch.tensor(2.0)))) == 2
    below = ([[1.0, 1.0]], [-1e-3])
    assert len(enumerate_regions(net, halfspaces=below)) == 3
    assert len(enumerate_regions(net, (-1.0, 1.0), below)) == 3
    line = from_integers([([[1]], [0]), ([[1]], [0])])
    assert len(enumerate_regions(line, halfspaces=([[-1.0]], [-1.0]))) == 1
    assert len(enumerate_regions(nn.Linear(3, 2))) == 1
    late = from_integers([([[4, 0]], [-3]), ([[1]], [0])])  # its kink 3/4 is outside 2 x <= 1
    for box in (None, (-1.0, 1.0)):
        assert len(enumerate_regions(late, box)) == 2
        assert len(enumerate_regions(late, box, ([[2.0, 0.0]], [1.0]))) == 1


def test_convolutions_and_batch_norm() -> None:
    """Networks without branches are multiplied out; patterns agree on inputs of their shape."""
    net = nn.Sequential(
        nn.Conv2d(1, 2, 2), nn.BatchNorm2d(2), nn.ReLU(), nn.AvgPool2d(1), nn.Flatten(),
        nn.Linear(4, 3), nn.LeakyReLU(0.1), nn.Linear(3, 2),
    )  # fmt: skip
    randomise(net, 8)
    regions = enumerate_regions(net, (-2.0, 2.0), input_shape=(1, 2, 3))
    z = torch.rand((3000, 1, 2, 3), generator=generator(9), dtype=torch.float64) * 4 - 2
    assert sampled_keys(net, z) <= keys(regions)
    A, _ = affine_map(net, regions[0].point.reshape(1, 1, 2, 3))
    assert (A.flatten(2)[0] - regions[0].weight).abs().max() < 1e-12


def test_float32_weights_are_taken_exactly() -> None:
    net = mlp([2, 4, 1], 3).float()
    assert net[0].weight.dtype == torch.float32
    regions = enumerate_regions(net, (-1.0, 1.0))
    assert net[0].weight.dtype == torch.float32
    assert regions[0].weight.dtype == torch.float64
    assert regions.doubtful == 0


def test_limit() -> None:
    net = mlp([2, 7, 7, 1], 0)
    count = len(enumerate_regions(net, (-2.0, 2.0)))
    assert len(enumerate_regions(net, (-2.0, 2.0), max_regions=count)) == count
    with pytest.raises(RegionLimitError, match=f"more than max_regions = {count - 1} regions"):
        enumerate_regions(net, (-2.0, 2.0), max_regions=count - 1)


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"max_regions": 0}, "max_regions must be a positive integer, got 0"),
        ({"tolerance": 0.0}, "tolerance must be between 0 and 1, got 0.0"),
        ({"box": (1.0, 1.0)}, "box: low must be less than high"),
        ({"box": (float("nan"), 1.0)}, "box: low must be less than high"),
        ({"box": ([0.0] * 3, 1.0)}, "box: low must have 1 or 2 entries, got 3"),
        (
            {"halfspaces": ([[1.0]], [1.0])},
            r"halfspaces must be A \[m, 2\] and b \[m\]",
        ),
        ({"halfspaces": ([[0.0, 0.0]], [1.0])}, "no row of A equal to 0"),
        ({"halfspaces": ([[1.0, 0.0], [-1.0, 0.0]], [0.0, 0.0])}, "has no interior"),
        ({"box": (0.0, 1.0), "halfspaces": ([[1.0, 0.0]], [-1.0])}, "has no interior"),
    ],
)
def test_bad_arguments(arguments: dict[str, object], match: str) -> None:
    with pytest.raises(ValueError, match=match):
        enumerate_regions(mlp([2, 3, 1], 0), **arguments)  # type: ignore[arg-type]


def test_bad_networks() -> None:
    with pytest.raises(NotImplementedError, match="without branches and without max-pooling"):
        enumerate_regions(nn.Sequential(nn.MaxPool2d(1)), input_shape=(1, 2, 2))
    with pytest.raises(NotImplementedError, match=r"layer '1' \(Tanh\)"):
        enumerate_regions(nn.Sequential(nn.Linear(2, 2), nn.Tanh()))
    with pytest.raises(ValueError, match="input_shape must be given"):
        enumerate_regions(nn.Sequential(nn.Conv2d(1, 1, 1)))
    broken = mlp([2, 3, 1], 0)
    broken[0].weight.data[0, 0] = math.nan
    with pytest.raises(ValueError, match="weights must be finite"):
        enumerate_regions(broken)


def test_planted_bugs_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Negative controls: forgotten biases, or every cut's second part forgotten."""
    net = mlp([2, 6, 6, 2], 1)
    z = torch.rand((4000, 2), generator=generator(2), dtype=torch.float64) * 4 - 2
    true_extend = enumeration.Chain.extend

    def without_bias(self, before, layer, gates):  # type: ignore[no-untyped-def]
        blind = enumeration.Prefix(
            before.weight, 0 * before.bias, before.magnitude, before.bias_magnitude, before.fan_in
        )
        return true_extend(self, blind, layer, gates)

    monkeypatch.setattr(enumeration.Chain, "extend", without_bias)
    wrong = enumerate_regions(net, (-2.0, 2.0))
    assert not sampled_keys(net, z) <= keys(wrong)
    # What the network itself contradicts at the interior point is not returned, but counted.
    assert wrong.doubtful > 0
    points = torch.stack([region.point for region in wrong])
    codes = torch.cat([region.pattern.codes for region in wrong])
    assert torch.equal(activation_pattern(net, points).codes, codes)
    monkeypatch.undo()
    polygon = type(enumeration.domain_cell(2, (0.0, 1.0), None, 1e-9))
    true_cut = polygon.cut

    def one_part(self, *arguments):  # type: ignore[no-untyped-def]
        off, on = true_cut(self, *arguments)
        return (off, None) if off is not None else (None, on)

    monkeypatch.setattr(polygon, "cut", one_part)
    assert not sampled_keys(net, z) <= keys(enumerate_regions(net, (-2.0, 2.0)))


@pytest.mark.parametrize("seed", [*range(5), 242])
def test_hyperplanes_through_one_point(seed: int) -> None:
    """All units are 0 at one point: samples lie in their region's polygon.

    The last case went wrong when directions of edges were read off corners that nearly coincide.
    """
    net = mlp([2, 10, 5, 2], seed)
    value = torch.randn(2, generator=generator(seed), dtype=torch.float64)
    for layer in net:
        if isinstance(layer, nn.Linear):
            layer.bias.data = -(layer.weight.data @ value)
            value = torch.zeros_like(layer.bias.data)
    points = 8 * torch.rand(2000, 2, generator=generator(0), dtype=torch.float64) - 4
    codes = activation_pattern(net, points).codes
    found = 0
    for region in enumerate_regions(net, (-4, 4)):
        mine = points[(codes == region.pattern.codes).all(dim=1)]
        assert bool((mine @ region.normals.T <= region.offsets + 1e-12).all())
        found += len(mine)
    assert found == len(points)
