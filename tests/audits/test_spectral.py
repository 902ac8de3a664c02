"""Audits of the l2 norm: planted errors in bounds and brackets are found."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from nbsrc.audits import spectral
from nbsrc.audits.layers import Layer, Shape, layers_under_assumption1, random_layers
from nbsrc.bracket import Bracket

COUNT = 60


def family() -> list[Layer]:
    return list(random_layers(COUNT, 0, max_dilation=2, max_groups=2))


def generic(count: int, **limits: Any) -> list[Layer]:
    return [x for x in layers_under_assumption1(count, 0, **limits) if x.weight.any()]


def test_l2_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    layers, true = family(), spectral.conv_l2_bounds
    good = spectral.audit_l2_bounds(layers, 1e-10)
    assert good.holds
    assert good.trials == 9 * COUNT
    for name in spectral.conv_l2_bounds(layers[0].weight, 8)._fields:
        factor = 2 if name in {"column", "row", "mean"} else 0.5

        def planted(*a: Any, name: str = name, factor: float = factor, **k: Any) -> Any:
            bounds = true(*a, **k)
            return bounds._replace(**{name: factor * getattr(bounds, name)})

        monkeypatch.setattr(spectral, "conv_l2_bounds", planted)
        found = spectral.audit_l2_bounds(layers, 1e-10)
        assert not found.holds, name
        assert found.counterexample["bound"] == name


@pytest.mark.parametrize(
    ("value", "lower", "upper", "converged"),
    [(1, 1 + 1e-9, 1 + 1e-9, True), (1, 0.9, 1 - 1e-9, True), (1, 1, 1, False)],
)
def test_bracket(
    monkeypatch: pytest.MonkeyPatch, value: float, lower: float, upper: float, converged: bool
) -> None:
    layers, true = family(), spectral.conv_spectral_norm
    assert spectral.audit_bracket(layers, 1e-6).holds

    def planted(*a: Any, **k: Any) -> Bracket:
        norm = true(*a, **k).value
        ends = sorted((norm * lower, norm * upper))
        return Bracket(ends[0], ends[0], ends[1], 0, converged)

    monkeypatch.setattr(spectral, "conv_spectral_norm", planted)
    assert not spectral.audit_bracket(layers, 1e-6).holds


def one_window() -> Layer:
    """A kernel as large as the image: M is the reshaped kernel."""
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(3, 2, 3, 4, generator=generator, dtype=torch.float64)
    return Layer(Shape(2, 3, (3, 4), (3, 4)), weight)


def test_reshaped_equality() -> None:
    same, other = one_window(), generic(10)
    assert spectral.audit_reshaped_equality([same], equal=True).holds
    assert not spectral.audit_reshaped_equality([same], equal=False).holds
    assert not spectral.audit_reshaped_equality([same, *other], equal=True).holds
    assert spectral.reshaped_norm(same) == pytest.approx(spectral.matrix_norm(same.matrix, 2))


def test_reshaped_sandwich(monkeypatch: pytest.MonkeyPatch) -> None:
    layers = generic(COUNT)
    assert spectral.audit_reshaped_sandwich(layers).holds
    outside = Layer(Shape(1, 1, (1, 1), (3, 3), padding=(1, 1)), torch.ones(1, 1, 3, 3).double())
    assert not spectral.audit_reshaped_sandwich([*layers, outside]).holds  # no window on the image
    true = spectral.conv_l2_bounds
    monkeypatch.setattr(
        spectral,
        "conv_l2_bounds",
        lambda *a, **k: true(*a, **k)._replace(reshaped=0.9 * true(*a, **k).reshaped),
    )
    assert not spectral.audit_reshaped_sandwich(layers).holds


def test_sharpness() -> None:
    one = Layer(Shape(1, 1, (3, 3), (3, 3)), torch.ones(1, 1, 3, 3).double())
    wide = Layer(Shape(1, 1, (4, 4), (2, 2)), torch.ones(1, 1, 2, 2).double())
    assert spectral.audit_sharpness([wide, one]).holds
    found = spectral.audit_sharpness([wide])
    assert not found.holds
    assert found.worst_slack < -0.1
    assert found.counterexample
    assert not spectral.audit_sharpness([]).holds


def test_rank() -> None:
    layers = [x for x in generic(20, max_padding=0) if min(x.matrix.shape) > 1]
    least = min(int(torch.linalg.matrix_rank(x.matrix)) for x in layers)
    assert spectral.audit_rank(layers, least).holds
    found = spectral.audit_rank(layers, least + 1)
    assert not found.holds
    assert found.counterexample["rank"] == least


@pytest.mark.parametrize("kernel", [1, 2, 5])
def test_l2_to_frobenius_of_ones(kernel: int) -> None:
    """Four windows that overlap; singular values of the matrix itself."""
    weight = torch.ones(1, 1, kernel, kernel, dtype=torch.float64)
    matrix = Layer(Shape(1, 1, (kernel + 1,) * 2, (kernel, kernel)), weight).matrix
    values = torch.linalg.svdvals(matrix)
    ratio = float(values.max() / values.norm())
    assert spectral.l2_to_frobenius_of_ones(kernel) == pytest.approx(ratio, rel=1e-12)
