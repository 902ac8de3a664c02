"""Separation of labelled sets against brute force, with every edge that a data set can have."""

from __future__ import annotations

import math
import re

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from nbsrc import _separation_bounds, _separation_search
from nbsrc.separation import separation

ORDERS = (1, 2, math.inf)
METRICS = {1: "cityblock", 2: "sqeuclidean", math.inf: "chebyshev"}


def brute(points, labels, ord, against=None):
    others, other_labels = (points, labels) if against is None else against
    flat = [p.double().flatten(1).numpy() for p in (points, others)]
    table = torch.from_numpy(cdist(*flat, metric=METRICS[ord]))
    table = table.sqrt() if ord == 2 else table
    table[labels[:, None] == other_labels[None]] = math.inf
    return table


def check(found, table):
    nearest = table.min(1).values
    assert torch.equal(found.nearest, nearest)
    assert found.distance == float(nearest.min())
    exists = nearest < math.inf
    assert torch.equal(found.neighbour >= 0, exists)
    rows = torch.arange(len(table))[exists]
    assert torch.equal(table[rows, found.neighbour[exists]], nearest[exists])
    if found.pair is None:
        assert not bool(exists.any())
    else:
        assert float(table[found.pair]) == found.distance


def images(shape, count, generator, high=256, classes=4):
    points = torch.randint(0, high, (count, *shape), generator=generator, dtype=torch.uint8)
    return points, torch.randint(0, classes, (count,), generator=generator)


@pytest.mark.parametrize("method", ["all", "pruned"])
@pytest.mark.parametrize("memory", [256, 0.02])  # one tile, and tiles of 20 points
@pytest.mark.parametrize("shape", [(37,), (6, 7), (3, 9, 5), (1300,), (300, 2, 2)])
def test_equals_brute_force(shape, memory, method) -> None:
    generator = torch.Generator().manual_seed(len(shape))
    first, second = images(shape, 55, generator), images(shape, 45, generator)
    for ord in ORDERS:
        if (ord, method) == (2, "pruned"):
            continue
        for against in (None, second):
            found = separation(*first, ord, against=against, method=method, memory_mb=memory)
            check(found, brute(*first, ord, against))
            assert found.integer
            assert found.two_sets is (against is not None)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 20), st.integers(1, 12), st.integers(2, 10), st.integers(0, 10**6))
def test_few_values_make_ties_and_duplicates(dimension, count, classes, seed) -> None:
    generator = torch.Generator().manual_seed(seed)
    points, labels = images((dimension,), count, generator, high=2, classes=classes)
    for ord in ORDERS:
        methods = ("all",) if ord == 2 else ("all", "pruned")
        for method in methods:
            found = separation(points, labels, ord, method=method, memory_mb=1e-3)
            table = brute(points, labels, ord)
            check(found, table)
            zero = {(min(p), max(p)) for p in torch.nonzero(table == 0).tolist()}
            assert set(found.contradictions) <= {tuple(p) for p in zero}
            assert {i for p in found.contradictions for i in p} == {i for p in zero for i in p}


def test_all_pairs_keep_the_first_of_several_nearest() -> None:
    points = torch.tensor([[0], [1], [1], [-1]])
    found = separation(points, torch.tensor([0, 1, 1, 1]), 1)
    assert found.pair == (0, 1)
    assert found.neighbour.tolist() == [1, 0, 0, 0]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.int64, torch.int8])
def test_any_number_type(dtype) -> None:
    generator = torch.Generator().manual_seed(3)
    points = torch.randn(40, 5, generator=generator, dtype=torch.float64) * 40
    points, labels = points.clamp(-128, 127).to(dtype), torch.arange(40) % 3
    for ord in ORDERS:
        found = separation(points, labels, ord)
        table = brute(points, labels, ord)
        assert torch.allclose(found.nearest, table.min(1).values, rtol=1e-14, atol=0)
        assert found.integer is not dtype.is_floating_point


def test_l2_is_exact_where_float32_products_would_round() -> None:
    """255^2 * 3072 is far above 2^24; the two nearest candidates differ in the last unit."""
    points = torch.zeros(3, 3072, dtype=torch.uint8)
    points[1:] = 255
    points[2, 0] = 254
    found = separation(points, torch.tensor([0, 1, 2]), 2)
    assert found.nearest[0] == math.sqrt(3071 * 255**2 + 254**2)
    assert found.neighbour[0] == 2
    assert found.distance == 1.0


def test_lower_precision_of_products_does_not_matter() -> None:
    points = torch.randint(0, 256, (30, 2000), dtype=torch.uint8)
    labels = torch.arange(30) % 2
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    try:
        check(separation(points, labels, 2), brute(points, labels, 2))
    finally:
        torch.set_float32_matmul_precision(before)


def test_divisor_is_applied_once_at_the_end() -> None:
    points = torch.tensor([[0, 0], [3, 4]], dtype=torch.uint8)
    labels = torch.tensor([0, 1])
    assert separation(points, labels, 2, divisor=255).distance == 5 / 255
    assert separation(points, labels, math.inf, divisor=16).distance == 0.25


def test_contradictions_are_reported() -> None:
    points = torch.tensor([[1, 2], [5, 5], [1, 2], [1, 2]])
    found = separation(points, torch.tensor([0, 0, 1, 2]), math.inf)
    assert found.distance == 0
    assert found.contradictions == ((0, 2), (0, 3))
    assert not found.is_separable(0)
    both = separation(
        points[:1], torch.tensor([7]), 1, against=(points, torch.tensor([7, 7, 7, 8]))
    )
    assert both.contradictions == ((0, 3),)


def test_one_class_and_one_point() -> None:
    for count in (1, 5):
        for method in ("all", "pruned"):
            points = torch.zeros(count, 3, dtype=torch.uint8)
            found = separation(points, torch.full((count,), 4), 1, method=method)
            assert found.distance == math.inf
            assert found.pair is None
            assert found.neighbour.tolist() == [-1] * count
            assert found.contradictions == ()
            assert found.is_separable(1e300)


def test_separable_is_strict() -> None:
    found = separation(torch.tensor([[0], [2]]), torch.tensor([0, 1]), 2)
    assert not found.is_separable(1)
    assert found.is_separable(0.999999)
    with pytest.raises(ValueError, match="eps must be finite and at least 0, got -1"):
        found.is_separable(-1)


def test_bounds_never_exceed_the_distance() -> None:
    generator = torch.Generator().manual_seed(0)
    points, _ = images((2, 9, 10), 30, generator)
    for ord in (1, math.inf):
        exact = brute(points, torch.arange(30), ord).fill_diagonal_(0)
        for features in _separation_bounds.lower_bound_features(points, ord):
            if features is not None:
                bound = torch.cdist(features.double(), features.double(), p=ord)
                assert bool((bound <= exact).all())
                assert bool((bound > 0.2 * exact).float().mean() > 0.5)  # and is worth something


def test_a_bound_that_is_too_large_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The comparison with brute force must fail once a bound is wrong: a planted error."""
    right = _separation_bounds.lower_bound_features

    def wrong(points, ord, *, like=None):
        coarse, fine = right(points, ord, like=like)
        return coarse * 4, fine

    monkeypatch.setattr(_separation_search, "lower_bound_features", wrong)
    monkeypatch.setattr(_separation_search, "_SEEDS", 1)
    generator = torch.Generator().manual_seed(1)
    points, labels = images((8, 8), 80, generator)
    found = separation(points, labels, math.inf, method="pruned", memory_mb=0.02)
    assert not torch.equal(found.nearest, brute(points, labels, math.inf).min(1).values)


X, Y = torch.zeros(3, 2), torch.tensor([0, 1, 1])
ERRORS = [
    ({"ord": 3}, ValueError, "ord must be 1, 2 or math.inf, got 3"),
    ({"divisor": 0}, ValueError, "divisor must be a positive integer, got 0"),
    ({"divisor": 2.5}, ValueError, "divisor must be a positive integer, got 2.5"),
    ({"memory_mb": 0}, ValueError, "memory_mb must be positive, got 0"),
    ({"method": "fast"}, ValueError, "method must be one of .* got 'fast'"),
    ({"method": "pruned"}, NotImplementedError, "needs l1 or linf and integers that span at most"),
    ({"points": [[0.0]]}, TypeError, "points of points must be a tensor, got list"),
    (
        {"points": X.bool()},
        TypeError,
        "points must be integers or floating numbers, got torch.bool",
    ),
    ({"labels": Y.double()}, TypeError, "labels of points must be integers, got torch.float64"),
    ({"labels": Y[:2]}, ValueError, r"labels of points must have the shape \[3\], got \[2\]"),
    ({"points": X[:0], "labels": Y[:0]}, ValueError, r"points must have a shape \[n, ...\]"),
    ({"points": X[:, 0]}, ValueError, r"points must have a shape \[n, ...\]"),
    ({"points": X / 0}, ValueError, "points must be finite, got NaN or infinity"),
    ({"points": X * 0 + torch.tensor([[1e160], [0], [0]])}, ValueError, "finite"),
    (
        {"against": (X[:, :1], Y)},
        ValueError,
        r"against must hold points like \[2\] of torch.float32",
    ),
    ({"against": (X.double(), Y)}, ValueError, "against must hold points like"),
    ({"against": (X, Y[:1])}, ValueError, "labels of against must have the shape"),
]


@pytest.mark.parametrize(("change", "error", "message"), ERRORS, ids=[m for *_, m in ERRORS])
def test_bad_input_is_named(change, error, message) -> None:
    arguments = {"points": X, "labels": Y, "ord": 1, **change}
    with pytest.raises(error, match=message):
        separation(**arguments)


def test_integers_too_large_to_add_are_refused() -> None:
    points = torch.tensor([[0, 0], [2**40, 1], [5, 5]])
    for ord in (1, math.inf):
        assert separation(points, Y, ord).distance == (10 if ord == 1 else 5)
    with pytest.raises(NotImplementedError, match=re.escape("stay below 2^53 with all sums")):
        separation(points, Y, 2)
    with pytest.raises(NotImplementedError, match="span less than 1e150"):
        separation(torch.tensor([[1e160], [0], [0]], dtype=torch.float64), Y, 2)
