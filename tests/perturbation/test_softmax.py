"""Probabilities against 60-digit arithmetic."""

from __future__ import annotations

import math

import mpmath
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from nbsrc.perturbation.softmax import (
    class_differences,
    confidence,
    loss_slack,
    other_classes,
    pick,
)
from tests.perturbation.affine_pieces import THOROUGH


def exact(z: list[float], y: int) -> dict[str, mpmath.mpf]:
    """The same quantities in 500 digits (logits of +-1000 need them)."""
    with mpmath.workdps(1000):
        e = [mpmath.e ** mpmath.mpf(value) for value in z]
        total = mpmath.fsum(e)
        others = mpmath.fsum(value for k, value in enumerate(e) if k != y)
        return {
            "label": e[y] / total,
            "others": others / total,
            "log_label": mpmath.log(e[y] / total),
            "log_others": mpmath.log(others / total),
            "xi": mpmath.log(len(z)) + mpmath.log(e[y] / total),
        }


def close(value: float, reference: mpmath.mpf, relative: float = 1e-14) -> bool:
    if abs(reference) < 1e-290:
        return abs(value) < 1e-290
    return abs((mpmath.mpf(value) - reference) / reference) < relative


@given(
    st.lists(st.sampled_from([0.0, 1e-12, -1e-7, 0.3, -2.0, 7.5, 40.0, 1000.0, -1000.0]),
             min_size=2, max_size=6),
    st.integers(0, 5),
)  # fmt: skip
@example([0.0, -2.0], 0)
@THOROUGH
def test_every_entry_has_full_relative_precision(z: list[float], y: int) -> None:
    y %= len(z)
    found = confidence(torch.tensor(z, dtype=torch.float64), y)
    reference = exact(z, y)
    for name in ("label", "others", "log_label", "log_others"):
        assert close(float(getattr(found, name)), reference[name], 1e-13), name
    assert float(found.shares.sum()) == pytest.approx(1, abs=1e-15)
    slack = float(loss_slack(torch.tensor(z, dtype=torch.float64), y))
    # Absolute rounding of the loss where it is large; relative where all logits nearly agree.
    small = max(abs(value - z[y]) for value in z) < 1e-3
    if small and reference["xi"] != 0:
        assert close(slack, reference["xi"], 1e-8)
    assert slack == pytest.approx(float(reference["xi"]), rel=1e-13, abs=1e-14)


def test_slack_near_the_uniform_distribution() -> None:
    z = torch.tensor([2e-12, 0.0, 0.0], dtype=torch.float64)
    assert float(loss_slack(z, 0)) == pytest.approx(4e-12 / 3, rel=1e-10, abs=0)
    plain = math.log(3) + float(torch.log_softmax(z, -1)[0])
    assert abs(plain / (4e-12 / 3) - 1) > 1e-6  # what the plain formula loses
    assert float(loss_slack(z, 0, 0.0)) == pytest.approx(-math.log(3))


def test_helpers_select_columns_by_batch() -> None:
    values = torch.arange(12.0).reshape(2, 2, 3)
    labels = torch.tensor([[0, 1], [2, 0]])
    assert pick(values, labels).tolist() == [[0.0, 4.0], [8.0, 9.0]]
    assert other_classes(values, labels).tolist() == [[[1, 2], [3, 5]], [[6, 7], [10, 11]]]
    V = torch.tensor([[1.0, 2.0, 4.0], [0.0, 0.0, 1.0]])
    D = class_differences(V, torch.tensor([0, 2]))
    assert D.tolist() == [[[1, 3], [0, 1]], [[-3, -2], [-1, -1]]]


def test_bad_input_is_named() -> None:
    z = torch.zeros(3, dtype=torch.float64)
    with pytest.raises(ValueError, match=r"logits must have K >= 2 classes .* shape \(1,\)"):
        confidence(z[:1], 0)
    with pytest.raises(ValueError, match="y must be between 0 and 2, got 3"):
        confidence(z, 3)
    with pytest.raises(ValueError, match="logits must be finite, got inf"):
        confidence(torch.tensor([math.inf, 0.0]), 0)
    with pytest.raises(TypeError, match="y must hold integers"):
        confidence(z, torch.tensor(0.0))
    with pytest.raises(TypeError, match="y must be an integer"):
        confidence(z, 0.0)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="logits must be a floating-point tensor"):
        confidence(torch.zeros(3, dtype=torch.int64), 0)
    with pytest.raises(TypeError, match=r"logits must be a torch.Tensor, got list"):
        confidence([0.0, 1.0], 0)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"y must have the batch shape \(2,\), got \(3,\)"):
        confidence(torch.zeros(2, 3), torch.zeros(3, dtype=torch.int64))
    with pytest.raises(ValueError, match=r"logits must have shape \[..., K\]"):
        confidence(torch.tensor(0.0), 0)
