"""Points given by V and class weights, and their families."""

from __future__ import annotations

import math

import pytest
import torch

from nbsrc.audits.connections.multiclass import loss_derivatives
from nbsrc.audits.connections.point_families import edge_points, random_points, small_points
from nbsrc.audits.connections.points import point


def test_a_point_worked_out_by_hand() -> None:
    x = point([[1, -1]], [3, 1])
    assert (x.p_y, x.rest, x.correct, x.classes) == (0.75, 0.25, True, 2)
    assert x.xi == pytest.approx(math.log(1.5))
    assert x.gradient.tolist() == [-0.5]
    assert x.hessian.tolist() == [[0.75]]
    assert (x.spread, x.nu2("ordered"), x.nu2("unordered")) == (2.0, 2.0, 1.0)
    assert x.size < point([[1, -1]], [4, 1]).size < point([[1, -1, 0]], [1, 1, 1]).size
    assert x.description == {"V": [[1.0, -1.0]], "p proportional to": [3.0, 1.0], "y": 0}


@pytest.mark.parametrize(
    ("V", "weights", "label", "message"),
    [
        ([[1, 2]], [1], 0, "column per weight"),
        ([[1]], [1], 0, "two at least"),
        ([[1, 2]], [1, 0], 0, "positive"),
        ([[1, 2]], [1, 1], 2, "from 0 to 1"),
    ],
)
def test_bad_points(V: list, weights: list, label: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        point(V, weights, label)


def test_bad_pairs() -> None:
    with pytest.raises(ValueError, match="'all'"):
        point([[1, 2]], [1, 1]).nu2("all")


def test_derivatives_agree_with_autograd() -> None:
    for x in random_points(60, 0, correct=False):
        _, gradient, hessian = loss_derivatives(x)
        scale = float(x.V.abs().max())
        torch.testing.assert_close(x.gradient, gradient, atol=1e-12 * scale, rtol=1e-9)
        torch.testing.assert_close(x.hessian, hessian, atol=1e-12 * scale**2, rtol=1e-9)


def test_rest_does_not_cancel() -> None:
    x = point([[1, 0]], [1e30, 1])
    assert x.p_y == 1.0
    assert x.rest == pytest.approx(1e-30)


def test_families_hold_what_they_say() -> None:
    families = (list(small_points()), list(random_points(120, 0)), list(edge_points()))
    for family in families:
        assert all(x.correct and x.xi > 0 and x.spread > 0 for x in family)
    assert all(x.size[2] == 0 for x in families[0])
    assert {x.classes for x in families[1]} == {2, 3, 4, 5, 6, 10}
    assert min(x.rest for x in families[2]) < 1e-8
    loose = list(random_points(120, 0, correct=False))
    assert 10 < sum(x.correct for x in loose) < 110
    assert any(not x.correct for x in small_points(correct=False))
    assert max(float(x.V.max()) for x in small_points((2,), scale=0.5)) == 0.5


def test_families_are_reproducible() -> None:
    one, two = random_points(20, 3), random_points(20, 3)
    assert all(torch.equal(a.V, b.V) for a, b in zip(one, two, strict=True))
