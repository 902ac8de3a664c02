"""One vector and the sphere: bounds, SVD, isometries, variances, data; each with a planted bug."""

from __future__ import annotations

import math

import pytest
import torch

from nbsrc.audits.singular_values import ensembles, gains, sampling, variance
from nbsrc.audits.singular_values.cases import (
    Layer,
    equal_spectrum,
    layer,
    random_layers,
    small_layers,
)
from nbsrc.layer_spectra import Moments, norm_moments, relu_moments, square_moments


@pytest.fixture(scope="module")
def small() -> list[Layer]:
    return [x for x in small_layers() if x.spectrum.maximum]


@pytest.fixture(scope="module")
def layers(small: list[Layer]) -> list[Layer]:
    return [*small, *random_layers(42, 0)]


def test_small_layers_hold_the_edges() -> None:
    found = small_layers()
    assert [x.size for x in found] == sorted(x.size for x in found)
    assert any(not x.W.any() for x in found)
    assert {tuple(x.W.shape) for x in found} == {(1, 1), (1, 2), (2, 1), (2, 2), (1, 3), (3, 1)}


def test_bounds_for_one_vector(layers: list[Layer]) -> None:
    found = gains.audit_bounds(layers, lambda s: s.minimum, orthogonal=False)
    assert not found.holds
    assert found.counterexample["W"] == [[1.0, 0.0]]
    assert found.counterexample["x"] == [1.0, 1.0]
    assert gains.audit_bounds(layers, lambda s: s.smallest_positive, orthogonal=True).holds
    assert gains.audit_bounds(layers, lambda s: s.smallest_gain, orthogonal=False).holds
    assert not gains.audit_bounds(layers, lambda s: s.mean, orthogonal=True).holds


def test_svd(layers: list[Layer]) -> None:
    assert gains.audit_svd(layers).holds
    assert not gains.audit_svd(layers, shift=1).holds


def test_isometries(layers: list[Layer]) -> None:
    found = gains.audit_isometry(equal_spectrum(layers, per_direction=False))
    assert not found.holds
    assert found.counterexample["W"] == [[1.0, 0.0]]
    right = equal_spectrum(layers, per_direction=True)
    assert all(len(x.W) >= x.W.shape[1] for x in right)
    assert any(len(x.W) > x.W.shape[1] > 1 for x in right)
    assert gains.audit_isometry(right).holds
    assert not gains.audit_isometry([layer([[2, 0], [0, 1]])]).holds


def test_spread_and_variance(small: list[Layer], layers: list[Layer]) -> None:
    found = variance.audit_same_spread(small, lambda s: s.std, factor=10)
    assert not found.holds
    assert {len(found.counterexample[k]) for k in ("W", "W'")} == {1, 2}
    assert variance.audit_condition_bounds(layers).holds
    assert not variance.audit_condition_bounds(layers, extra=0).holds
    one_shape = [layer([[1, 0]]), layer([[4, 0]])]
    assert not variance.audit_same_spread(one_shape, lambda s: s.std, factor=10).holds
    assert variance.audit_fourth_moments(layers).holds

    def planted(W: torch.Tensor) -> Moments:
        found = square_moments(W)
        return Moments(found.mean, found.variance * (W.shape[1] + 2) / W.shape[1])

    assert not variance.audit_fourth_moments(layers, planted).holds


def test_condition_bounds_are_sharp_for_equal_values_and_small_spreads() -> None:
    W = torch.diag(torch.tensor([1.01, 1.0, 0.99])).double()
    rough = 2 * float(torch.tensor([1.01, 1.0, 0.99]).double().var(correction=0)) / 5
    assert norm_moments(W).variance == pytest.approx(rough, rel=2e-2)


@pytest.mark.parametrize(
    ("name", "formula"),
    [("square", square_moments), ("relu", relu_moments), ("norm", norm_moments)],
)
def test_sampling(layers: list[Layer], name: str, formula: object) -> None:
    some = layers[::9]
    assert sampling.audit_sampling(some, name, formula, count=4000, seed=0).holds  # type: ignore[arg-type]

    def planted(W: torch.Tensor) -> Moments:
        mean, spread = formula(W)  # type: ignore[operator]
        return Moments(mean, 1.3 * spread)

    assert not sampling.audit_sampling(some, name, planted, count=4000, seed=0).holds


def test_relu(layers: list[Layer]) -> None:
    found = variance.audit_relu_is_constant(equal_spectrum(layers, per_direction=True))
    assert not found.holds
    assert found.counterexample["W"] == [[1.0]]
    assert found.counterexample["variance of |ReLU(Wd)|^2"] == pytest.approx(0.25)
    assert variance.audit_relu_floor(layers).holds
    assert not variance.audit_relu_floor(layers, 0.3).holds
    found = variance.audit_change_is_constant(equal_spectrum(layers, per_direction=True))
    assert found.counterexample["W"] == [[1.0, 0.0], [0.0, 1.0]]
    assert variance.audit_change_is_constant([layer([[1]]), layer([[1], [-1]])]).holds
    assert sampling.audit_relu_split(layers[::9], count=4000, seed=0).holds
    assert not sampling.audit_relu_split(layers[::9], 0.3, count=4000, seed=0).holds
    same, opposite = layer([[1], [1]]), layer([[1], [-1]])
    assert torch.allclose(same.spectrum.values, opposite.spectrum.values)
    assert relu_moments(same.W).variance == pytest.approx(1.0)
    assert relu_moments(opposite.W).variance == pytest.approx(0.0, abs=1e-12)


def test_data(small: list[Layer]) -> None:
    data = list(ensembles.small_ensembles(small))
    found = ensembles.audit_data_like_sphere(data, factor=10)
    assert not found.holds
    assert ensembles.audit_range(data).holds
    assert not ensembles.audit_range(data, share=0.2).holds
    layers = random_layers(12, 1)
    assert ensembles.audit_gaussian(layers, count=10_000, seed=0).holds
    assert not ensembles.audit_gaussian(layers, count=10_000, seed=0, isotropic=True).holds


@pytest.mark.parametrize("first", [(1.0, 0.0), (0.001, 1.0)])
def test_bounds_without_the_condition_number(first: tuple[float, float]) -> None:
    """One large value among small ones, one small among large: t is far from 1, within 1/4s, 4s."""
    values = torch.full((200,), first[1], dtype=torch.float64)
    values[0] = first[0]
    W = torch.diag(values)
    t = norm_moments(W).variance / (2 * float(values.var(correction=0)) / 202)
    s = float(values.max() ** 2 / (values**2).mean())
    assert 1 / (4 * s) <= t <= 4 * s
    assert t > 30 or t < 0.3


def test_sphere_sample() -> None:
    d = sampling.sphere_sample(3, 1000, torch.Generator().manual_seed(0))
    assert torch.allclose(d.norm(dim=1), torch.ones(1000).double())
    assert float(d.mean(0).abs().max()) < 5 / math.sqrt(3000)
