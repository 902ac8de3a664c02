"""Margins, ramp loss and risks against their definitions."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nbsrc.margins import generalisation_error, margin, ramp_loss, ramp_risk

numbers = st.floats(-5, 5).map(lambda x: round(x, 3))


@given(st.lists(st.lists(numbers, min_size=3, max_size=3), min_size=1, max_size=6), st.data())
def test_margin_and_risk(rows: list[list[float]], data: st.DataObject) -> None:
    labels = data.draw(st.lists(st.integers(0, 2), min_size=len(rows), max_size=len(rows)))
    expected = [
        r[y] - max(r[i] for i in range(3) if i != y) for r, y in zip(rows, labels, strict=True)
    ]
    scores, y = torch.tensor(rows, dtype=torch.float64), torch.tensor(labels)
    assert margin(scores, y).tolist() == pytest.approx(expected)
    losses = [min(1.0, max(0.0, 1 - u / 0.7)) for u in expected]
    assert float(ramp_risk(scores, y, 0.7)) == pytest.approx(sum(losses) / len(losses))


def test_definition_4_at_its_corners() -> None:
    r = torch.tensor([-3.0, -2.0, 0.0, 1e-9])
    assert ramp_loss(r, 2.0).tolist() == [0.0, 0.0, 1.0, 1.0]


def test_weighted_risk() -> None:
    scores, y = torch.tensor([[2.0, 0.0], [0.0, 1.0]]), torch.tensor([0, 0])
    assert float(ramp_risk(scores, y, 1.0, torch.tensor([0.75, 0.25]))) == 0.25
    assert generalisation_error(torch.tensor(0.25), 1.0) == 0.75


def test_errors() -> None:
    scores = torch.zeros(2, 2)
    with pytest.raises(ValueError, match="2 classes"):
        margin(torch.zeros(2, 1), torch.tensor([0, 0]))
    with pytest.raises(ValueError, match="between 0 and 1"):
        margin(scores, torch.tensor([0, 2]))
    with pytest.raises(ValueError, match=r"labels must be \[2\]"):
        margin(scores, torch.tensor([0]))
    with pytest.raises(TypeError, match="integers"):
        margin(scores, torch.zeros(2))
    with pytest.raises(ValueError, match="gamma must be positive"):
        ramp_loss(torch.zeros(1), 0.0)
    with pytest.raises(ValueError, match="sum to 1"):
        ramp_risk(scores, torch.tensor([0, 1]), 1.0, torch.tensor([0.5, 0.4]))
    with pytest.raises(ValueError, match="not negative"):
        ramp_risk(scores, torch.tensor([0, 1]), 1.0, torch.tensor([1.5, -0.5]))
    with pytest.raises(ValueError, match="at least one point"):
        ramp_risk(torch.zeros(0, 2), torch.zeros(0, dtype=torch.long), 1.0)
