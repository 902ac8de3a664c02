"""The bracket of the l2 norm against the SVD, on the direct and on the iterative path."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from torch.nn import functional

from nbsrc.bracket import Bracket
from nbsrc.conv import Geometry, conv_spectral_norm, spectral
from nbsrc.conv.spectral import geometry_spectral_norm
from tests.conv.strategies import (
    THOROUGH,
    Case,
    conv_cases,
    conv_oracle,
    dense_norm,
    transposed_cases,
    transposed_oracle,
)

SVD = 1e-13  # relative rounding of the reference itself


@pytest.fixture(params=["direct", "iterative"])
def path(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Run a test on both paths: no layer is small enough for the direct one when patched."""
    if request.param == "iterative":
        monkeypatch.setattr(spectral, "_DENSE_SIDE", 0)
    return request.param


def check(found: Bracket, true: float, rtol: float) -> None:
    assert found.lower <= true * (1 + SVD)
    assert true <= found.upper * (1 + SVD)
    assert found.lower <= found.value <= found.upper
    assert found.converged == (found.upper - found.lower <= rtol * found.upper)


BOTH = settings(THOROUGH, suppress_health_check=[HealthCheck.function_scoped_fixture])


@BOTH
@given(case=conv_cases(largest=6))
def test_every_geometry(path: str, case: Case) -> None:
    true = dense_norm(conv_oracle(case.weight, case.size, **case.options), 2)
    found = conv_spectral_norm(case.weight, case.size, **case.options)
    check(found, true, 1e-6)
    assert found.converged
    assert found.value == pytest.approx(true, rel=1e-6, abs=0)
    if path == "direct":
        assert found.iterations == 0


@BOTH
@given(case=transposed_cases())
def test_every_transposed_geometry(path: str, case: Case) -> None:
    true = dense_norm(transposed_oracle(case.weight, case.size, **case.options), 2)
    options = {name: value for name, value in case.options.items() if name != "groups"}
    geometry = Geometry.for_conv_transpose(case.size, tuple(case.weight.shape[2:]), **options)
    found = geometry_spectral_norm(case.weight, geometry, groups=case.options["groups"])
    check(found, true, 1e-6)
    assert found.converged


@settings(BOTH, max_examples=25)
@given(case=conv_cases(largest=6))
def test_without_work_the_bracket_is_still_valid(path: str, case: Case) -> None:
    true = dense_norm(conv_oracle(case.weight, case.size, **case.options), 2)
    check(conv_spectral_norm(case.weight, case.size, max_work=0, **case.options), true, 1e-6)


def test_without_work_an_open_bracket_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spectral, "_DENSE_SIDE", 0)
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(3, 3, 3, 3, generator=generator, dtype=torch.float64)
    open_ = conv_spectral_norm(weight, 8, padding=1, max_work=0)
    assert not open_.converged
    assert open_.relative_width > 0.01
    assert open_.iterations > 0
    closed = conv_spectral_norm(weight, 8, padding=1)
    assert closed.converged
    assert open_.lower <= closed.upper
    assert closed.lower <= open_.upper


@pytest.mark.parametrize("rtol", [0.3, 1e-2, 1e-4, 1e-8, 1e-10])
def test_rtol_is_respected(path: str, rtol: float) -> None:
    for seed in range(5):
        generator = torch.Generator().manual_seed(seed)
        weight = torch.randn(2, 3, 3, 3, generator=generator, dtype=torch.float64)
        found = conv_spectral_norm(weight, (6, 7), padding=1, rtol=rtol)
        true = dense_norm(conv_oracle(weight, (6, 7), padding=1), 2)
        check(found, true, rtol)
        assert found.converged


@pytest.mark.parametrize("rtol", [1e-14, 1e-16])
def test_more_than_float64_can_prove_is_not_claimed(path: str, rtol: float) -> None:
    weight = torch.randn(2, 3, 3, 3, generator=torch.Generator().manual_seed(0)).double()
    found = conv_spectral_norm(weight, (6, 7), padding=1, rtol=rtol)
    check(found, dense_norm(conv_oracle(weight, (6, 7), padding=1), 2), rtol)
    assert not found.converged
    assert found.lower < found.upper


def test_calls_agree_to_the_last_bit(path: str) -> None:
    """Kernels of small integers: Lanczos finds invariant subspaces and must start afresh."""
    for seed in range(60):
        generator = torch.Generator().manual_seed(seed)
        shape = torch.randint(1, 4, (4,), generator=generator).tolist()
        weight = torch.randint(-2, 3, shape, generator=generator).double()
        size = torch.randint(3, 7, (2,), generator=generator).tolist()
        options = {"stride": 1 + seed % 3, "padding": seed % 2}
        assert len({conv_spectral_norm(weight, size, **options) for _ in range(3)}) == 1


def test_global_random_states_are_untouched(path: str) -> None:
    torch.manual_seed(5)
    np.random.seed(5)  # noqa: NPY002 (the global state is the subject)
    before = torch.get_rng_state().clone(), np.random.get_state()[1].copy()  # noqa: NPY002
    conv_spectral_norm(torch.ones(2, 2, 3, 3), 6, padding=1)
    assert torch.equal(before[0], torch.get_rng_state())
    assert (before[1] == np.random.get_state()[1]).all()  # noqa: NPY002


def test_the_result_does_not_depend_on_global_random_states(path: str) -> None:
    found = set()
    for seed in (1, 2):
        torch.manual_seed(seed)
        np.random.seed(seed)  # noqa: NPY002
        found.add(conv_spectral_norm(torch.eye(4)[:, :, None, None], 6))
    assert len(found) == 1


@pytest.mark.parametrize(
    ("shape", "size", "options"),
    [
        ((1, 1, 1, 1), (1, 1), {}),  # one row, one column
        ((1, 4, 3, 3), (3, 3), {}),  # one row
        ((5, 1, 1, 1), (1, 1), {}),  # one column
        ((7, 4, 3, 3), (3, 3), {}),  # a dense layer: rank one per direction
        ((4, 1, 1, 1), (3, 3), {"groups": 4}),  # diagonal
        ((2, 3, 2, 2), (6, 6), {"stride": 2}),  # a sum of copies: every value repeated
        ((3, 1, 2, 2), (7, 5), {"stride": 3, "groups": 3, "padding": 1}),
    ],
)
def test_special_matrices(path: str, shape: Any, size: Any, options: Any) -> None:
    weight = torch.randn(shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    for kernel in (weight, torch.ones_like(weight), torch.eye(*shape[:2]).double()[..., None, None]
                   .expand(shape)):  # fmt: skip
        found = conv_spectral_norm(kernel, size, **options)
        check(found, dense_norm(conv_oracle(kernel, size, **options), 2), 1e-6)
        assert found.converged


def test_zero_matrices(path: str) -> None:
    for weight, size, options in (
        (torch.zeros(2, 2, 3, 3), 5, {}),
        (torch.ones(1, 1, 1, 1), 1, {"stride": 2, "padding": 1}),
        (torch.ones(2, 3, 1, 1), 1, {"stride": 4, "padding": 2}),
    ):
        found = conv_spectral_norm(weight, size, **options)
        assert found == Bracket(0.0, 0.0, 0.0, 0, True)


@pytest.mark.parametrize("scale", [1e-310, 1e-200, 1e-160, 1e150, 1e200, 1e306])
def test_scales(path: str, scale: float) -> None:
    weight = torch.randn(2, 2, 3, 3, generator=torch.Generator().manual_seed(2)).double() / 8
    true = dense_norm(conv_oracle(weight, (5, 4), padding=1), 2)
    found = conv_spectral_norm(weight * scale, (5, 4), padding=1)
    assert found.converged
    assert found.lower / scale <= true * (1 + 1e-11)
    assert found.upper / scale >= true * (1 - 1e-11)
    assert found.value / scale == pytest.approx(true, rel=1e-6)


def test_subnormal_weights_round_outwards(path: str) -> None:
    """The norm sqrt(3) * 5e-324 is no float: the ends must be the floats beside it."""
    found = conv_spectral_norm(torch.full((1, 3, 1, 1), 5e-324, dtype=torch.float64), 2)
    assert found.lower <= 5e-324
    assert found.upper >= 1e-323
    assert found.lower <= found.value <= found.upper


def test_a_norm_beyond_the_largest_float(path: str) -> None:
    """The lower end stays a finite, true statement, and the bracket is not closed."""
    found = conv_spectral_norm(torch.full((1, 1, 3, 3), 1e308, dtype=torch.float64), 4)
    assert found.lower <= 1.7976931348623157e308
    assert found.upper == math.inf
    assert not found.converged


def test_a_tiny_tap_beside_a_large_one_that_touches_nothing(path: str) -> None:
    """The matrix is 1e-200 times the identity, whatever the tap over the padding."""
    weight = torch.tensor([[[[1e-200, 1e150]]]], dtype=torch.float64)
    options = {"stride": 2, "padding": (0, 1)}
    for kernel in (weight, weight.flip(3)):
        true = dense_norm(conv_oracle(kernel, (4, 1), **options), 2)
        found = conv_spectral_norm(kernel, (4, 1), **options)
        assert found.lower <= true <= found.upper
        assert found.converged


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_low_precision_weights_are_taken_as_they_are(path: str, dtype: torch.dtype) -> None:
    weight = torch.randn(4, 2, 3, 3, generator=torch.Generator().manual_seed(3)).to(dtype)
    options = {"groups": 2, "stride": (2, 1), "padding": 1}
    found = conv_spectral_norm(weight, (6, 7), rtol=1e-9, **options)
    assert found == conv_spectral_norm(weight.double(), (6, 7), rtol=1e-9, **options)
    check(found, dense_norm(conv_oracle(weight, (6, 7), **options), 2), 1e-9)
    assert found.converged


@pytest.mark.parametrize("mode", [torch.inference_mode, torch.no_grad, torch.enable_grad])
def test_gradient_modes(path: str, mode: Any) -> None:
    weight = torch.randn(2, 2, 3, 3, generator=torch.Generator().manual_seed(4), requires_grad=True)
    expected = conv_spectral_norm(weight, 6, padding=1)
    with mode():
        assert conv_spectral_norm(weight, 6, padding=1) == expected
        assert conv_spectral_norm(weight.clone(), 6, padding=1) == expected


@pytest.mark.parametrize("default", [torch.float64, torch.float16])
def test_the_default_dtype_does_not_matter(path: str, default: torch.dtype) -> None:
    weight = torch.randn(3, 2, 3, 3, generator=torch.Generator().manual_seed(4))
    expected = conv_spectral_norm(weight, 6, padding=1, stride=2)
    before = torch.get_default_dtype()
    torch.set_default_dtype(default)
    try:
        found = conv_spectral_norm(weight, 6, padding=1, stride=2)
    finally:
        torch.set_default_dtype(before)
    assert found == expected


def test_named_padding(path: str) -> None:
    weight = torch.randn(2, 2, 4, 3, generator=torch.Generator().manual_seed(5)).double()
    for padding in ("same", "valid"):
        found = conv_spectral_norm(weight, (7, 6), padding=padding, dilation=(1, 2))
        matrix = conv_oracle(weight, (7, 6), padding=padding, dilation=(1, 2))
        check(found, dense_norm(matrix, 2), 1e-6)
        assert found.converged


def test_groups_take_the_largest_not_the_product(path: str) -> None:
    weight = torch.zeros(2, 1, 1, 1)
    weight[:, 0, 0, 0] = torch.tensor([3.0, 5.0])
    found = conv_spectral_norm(weight, 4, groups=2)
    assert found.value == pytest.approx(5)


def test_medium_layer_against_its_dense_gram_matrix() -> None:
    """16 x 3 x 3 x 3 at 32 x 32: M^T M of side 3072, too large for the direct path.

    By inertia, ``t^2 I - M^T M`` has a Cholesky factor just where t exceeds the norm.
    """
    weight = torch.randn(16, 3, 3, 3, generator=torch.Generator().manual_seed(6))
    found = conv_spectral_norm(weight, 32, padding=1)
    assert found.iterations > 0
    assert found.converged
    assert found.relative_width <= 1e-6
    eye = torch.eye(3072, dtype=torch.float64)
    maps = functional.conv2d(eye.reshape(-1, 3, 32, 32), weight.double(), padding=1)
    gram = functional.conv_transpose2d(maps, weight.double(), padding=1).flatten(1)
    assert gram.shape == (3072, 3072)
    for end, factor in ((found.upper, True), (found.lower * (1 - 1e-12), False)):
        _, failed = torch.linalg.cholesky_ex(end**2 * eye - gram)
        assert (int(failed) == 0) is factor


def test_circular_padding_is_refused() -> None:
    geometry = Geometry.for_conv(5, 3, padding=1, padding_mode="circular")
    with pytest.raises(NotImplementedError, match="zero padding, not circular"):
        geometry_spectral_norm(torch.ones(1, 1, 3, 3), geometry)


def test_a_hidden_top_vector_is_caught_by_the_certificate(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Lanczos run that reports too small a value cannot close the bracket."""
    monkeypatch.setattr(spectral, "_DENSE_SIDE", 0)
    honest = spectral._Operator.rayleigh_quotient

    def low(self: Any, tolerance: float, start: int) -> tuple[float, int]:
        found, steps = honest(self, tolerance, start)
        return 0.9 * found, steps

    monkeypatch.setattr(spectral._Operator, "rayleigh_quotient", low)
    weight = torch.randn(2, 3, 3, 3, generator=torch.Generator().manual_seed(0)).double()
    found = conv_spectral_norm(weight, (6, 7), padding=1)
    check(found, dense_norm(conv_oracle(weight, (6, 7), padding=1), 2), 1e-6)
    assert not found.converged


def test_lanczos_that_does_not_converge_still_gives_a_bracket(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(spectral, "_DENSE_SIDE", 0)

    def fail(*_: Any, **__: Any) -> None:
        raise spectral.ArpackNoConvergence("none", np.empty(0), np.empty((0, 0)))

    monkeypatch.setattr(spectral, "eigsh", fail)
    weight = torch.randn(2, 3, 3, 3, generator=torch.Generator().manual_seed(0)).double()
    found = conv_spectral_norm(weight, (6, 7), padding=1)
    check(found, dense_norm(conv_oracle(weight, (6, 7), padding=1), 2), 1e-6)
    assert not found.converged
