"""Margins against distances: the smallest counterexamples, the repairs, and planted bugs."""

from __future__ import annotations

import pytest
import torch

from nbsrc.audits.margin_bound import margins, networks, repairs
from nbsrc.margins import row_rank_constant


@pytest.fixture(scope="module")
def planes() -> list[networks.Example]:
    both = [*list(networks.planes())[::2], *networks.random_planes(24, 0)]
    return [e for e in both if float(e.margin()) > 1e-12]


def relu_at(*x: float) -> networks.Example:
    eye = torch.eye(2, dtype=torch.float64)
    return networks.Example((eye, eye), torch.tensor(x, dtype=torch.float64))


def test_the_printed_bound_fails_with_every_hypothesis() -> None:
    good = margins.with_hypotheses(networks.lines())
    found = margins.audit_margin_bound(good)
    assert not found.holds
    assert found.counterexample["right"] == pytest.approx(1)
    assert found.counterexample["left"] == pytest.approx(2**0.5)
    both = margins.with_hypotheses(networks.lines((1, -1)))
    assert margins.audit_margin_bound(both).counterexample["left"] == pytest.approx(2)
    assert margins.audit_smallest_margin(both).counterexample["right"] == pytest.approx(1)
    assert margins.audit_smallest_margin(both, factor=3.2).holds


def test_orthogonal_weights_do_not_save_it() -> None:
    """W_1 = W_2 = I at (1, -1): the margin is 1, v is 1, eq. (5) says sqrt 2."""
    e = relu_at(1.0, -1.0)
    assert margins.with_hypotheses([e]) == [e]
    assert float(e.margin()) == 1
    assert e.v_min == pytest.approx(1)
    assert e.printed == pytest.approx(2**0.5)
    assert not margins.audit_margin_bound([e]).holds
    assert not margins.audit_path_bound([e]).holds
    assert margins.audit_margin_bound([e], factor=1.5).holds


def test_repairs_hold_and_are_sharp(planes: list[networks.Example]) -> None:
    for audit in (repairs.audit_row_rank, repairs.audit_local_margin):
        assert audit(planes).holds
        assert audit(planes).trials > 50
        assert not audit(planes, 1.01).holds


def test_row_rank_audit_sees_a_wrong_constant(
    planes: list[networks.Example], monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrong(weights: tuple[torch.Tensor, ...], y: int) -> float:
        return row_rank_constant(weights, y) * 2**0.5

    monkeypatch.setattr(repairs, "row_rank_constant", wrong)
    assert not repairs.audit_row_rank(planes).holds


def test_closest_point(planes: list[networks.Example]) -> None:
    e = relu_at(3.0, -1.0)
    assert e.nearest.tolist() == pytest.approx([1.0, 1.0])
    assert not margins.audit_closest([e], last=False).holds
    assert margins.audit_closest([e], last=True).holds
    assert not margins.audit_closest([e], last=True, skip=1).holds
    assert not margins.audit_closest(planes, last=False).holds
    assert margins.audit_closest(planes, last=True).holds


def test_decomposition() -> None:
    e = relu_at(3.0, -1.0)
    found = margins.audit_decomposition([e])
    assert not found.holds
    assert found.counterexample["part"] == pytest.approx([2.0, 0.0])
    assert found.counterexample["u(x'')"] == pytest.approx(1)
    assert margins.audit_decomposition([relu_at(2.0, 1.0)]).holds


def test_zero_at_boundary(planes: list[networks.Example]) -> None:
    e = networks.three_classes()
    found = margins.audit_zero_at_boundary([e], fixed=True)
    assert found.counterexample["u there"] == pytest.approx(2)
    assert margins.audit_zero_at_boundary([e, *planes], fixed=False).holds
    wrong = networks.Example(e.weights, e.x, label=1)
    assert not margins.audit_zero_at_boundary([wrong], fixed=False).holds


def test_hypotheses_are_really_tested() -> None:
    """A dead network, a misclassified point, and a margin that rises on the way are refused."""
    zero = torch.zeros(2, 2, dtype=torch.float64)
    eye = torch.eye(2, dtype=torch.float64)
    x = torch.tensor([1.0, -1.0], dtype=torch.float64)
    assert not margins.with_hypotheses([networks.Example((eye, zero), x)])
    assert not margins.with_hypotheses([networks.Example((eye, eye), x, label=1)])
    assert relu_at(1.0, -1.0).monotone
    bump = networks.Example((torch.tensor([[1.0, 1], [0, 1], [0, -1]]).double(),
                             torch.tensor([[2.0, -3, 0.5], [0, 0, 0]]).double()), x)  # fmt: skip
    assert bump.nearest.tolist() != x.tolist()
    u = bump.margin(bump.path)
    assert bump.monotone == bool((u.diff() <= 1e-12).all())
