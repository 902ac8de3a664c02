"""The integers and a discrete metric: why every network fails, and planted errors."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import combinations, pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from nbsrc.audits.robustness import unbounded
from nbsrc.audits.robustness.existence import audit_theorem2
from nbsrc.bracket import Bracket
from nbsrc.constructions import robust_classifier
from nbsrc.lipschitz import lipschitz_constant
from tests.audits.robustness.robust_examples import constant

INTEGERS = unbounded.integer_sets()
DISCRETE = unbounded.discrete_metric_sets()


def kinks(*places: float) -> nn.Sequential:
    """The sum of relu(x - p) over the places, right of them; the last one opens to the left."""
    first = nn.Linear(1, len(places), dtype=torch.float64)
    first.weight = nn.Parameter(torch.ones(len(places), 1, dtype=torch.float64))
    first.bias = nn.Parameter(-torch.tensor(places, dtype=torch.float64))
    with torch.no_grad():
        first.weight[-1] *= -1
        first.bias[-1] *= -1
    last = nn.Linear(len(places), 1, dtype=torch.float64)
    nn.init.ones_(last.weight)
    return nn.Sequential(first, nn.ReLU(), last).requires_grad_(False)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(-5, 5), min_size=2, max_size=6))
def test_least_affine_error_against_alternation(values: list[int]) -> None:
    """Chebyshev: the error is half the largest distance of a middle point from a chord."""
    chords = [
        abs(values[j] - Fraction((k - j) * values[i] + (j - i) * values[k], k - i)) / 2
        for i, j, k in combinations(range(len(values)), 3)
    ]
    assert unbounded.least_affine_error(values) == pytest.approx(max(chords, default=0), abs=1e-9)


def test_least_affine_error_needs_a_solved_programme(monkeypatch: pytest.MonkeyPatch) -> None:
    class Unsolved:
        success, message = False, "time limit"

    monkeypatch.setattr(unbounded, "linprog", lambda *_, **__: Unsolved())
    with pytest.raises(RuntimeError, match="was not solved: time limit"):
        unbounded.least_affine_error((1, 2, 1))


@pytest.mark.parametrize("places", [(3.0,), (-2.0, 0.5), (5.5, -1.0, 2.0), (-3.0, -7.0)])
def test_last_breakpoint_worked_out_by_hand(places: tuple[float, ...]) -> None:
    assert unbounded.last_breakpoint(kinks(*places)) == pytest.approx(max(places))


def test_an_affine_network_has_no_breakpoint() -> None:
    assert unbounded.last_breakpoint(constant(1)) == -math.inf


def test_networks_are_affine_behind_their_last_breakpoint() -> None:
    k = torch.arange(-4, 5)
    network = robust_classifier(k[:, None], k % 2 + 1, 0.25, 2)
    last = unbounded.last_breakpoint(network)
    assert 3 < last < 4  # between the balls of 3 and 4, where the last step is
    ticks = last + torch.tensor([[-0.01, 0, 0.01], [0, 1, 2], [0, 50, 100]], dtype=torch.float64)
    with torch.no_grad():
        bends = network(ticks.reshape(-1, 1)).reshape(3, 3).diff(n=2)[:, 0].abs()
    assert bends[0] > 1e-3
    assert bends[1:].max() < 1e-9


def test_every_network_loses_integers() -> None:
    """For -1, 0, 1 the last step is before 1 and the output behind it 2: of 1, 2, 3 it loses 2."""
    assert all(data.shortfall() >= 1 for data in INTEGERS)
    assert INTEGERS[0].shortfall() == 1
    found = audit_theorem2(reversed(INTEGERS))
    assert found.worst_slack <= -1
    assert found.counterexample["X"] == "all integers"
    assert found.counterexample["least error of an affine function"] == 0.5


def test_integers_are_lost_only_with_a_proof(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:  # an affine function could do it: nothing is proven
        patch.setattr(unbounded, "least_affine_error", lambda values: 0.49)
        assert audit_theorem2(INTEGERS).holds
    # a breakpoint in the part that the network was built for: there nothing is lost
    monkeypatch.setattr(unbounded, "last_breakpoint", lambda network: -1.5)
    assert [data.shortfall() for data in INTEGERS] == [0] * len(INTEGERS)


def test_no_network_for_the_discrete_metric() -> None:
    """The named point comes after the first point that is lost."""
    found = audit_theorem2([*INTEGERS, *DISCRETE])
    assert found.counterexample["X"] == "all integers"  # the simpler set comes first
    alone = audit_theorem2(DISCRETE)
    assert alone.counterexample["X"] == "0 and 1/k for k = 1, 2, ..."
    assert [data.shortfall() for data in DISCRETE] == [1] * len(DISCRETE)


@pytest.mark.parametrize("value", [1.5, 2.0])
def test_discrete_metric_loses_zero_instead(value: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """A network that is right at all 1/k is wrong at 0."""
    monkeypatch.setattr(unbounded, "robust_classifier", lambda *_: constant(value))
    assert DISCRETE[0].shortfall() == 1


def test_discrete_metric_needs_the_lipschitz_constant(monkeypatch: pytest.MonkeyPatch) -> None:
    def too_small(network: nn.Module, order: float) -> Bracket:
        value = lipschitz_constant(network, order).value / 100
        return Bracket(value, value, value, 0, converged=True)

    monkeypatch.setattr(unbounded, "lipschitz_constant", too_small)
    assert audit_theorem2(DISCRETE).holds  # the named point 1/k is one that the network knows


def test_families() -> None:
    for family in (INTEGERS, DISCRETE):
        assert all(a.size < b.size and a.reach < b.reach for a, b in pairwise(family))
    assert INTEGERS[0].overshoot() == 0.5  # [-1, 1] onto [0, 1] sends 2 to 3/2
    assert 0 < INTEGERS[-1].overshoot() < 0.05
    assert max(x.size for x in INTEGERS) < min(x.size for x in DISCRETE)
