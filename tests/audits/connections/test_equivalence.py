"""Proposition 3.4 and appendix D: what holds, what does not, and planted errors."""

from __future__ import annotations

import pytest
import torch
from scipy.optimize import minimize

from nbsrc.audits.connections import appendix_d, equivalence, trainings
from nbsrc.audits.connections.trainings import Training


@pytest.fixture(scope="module")
def problems() -> list[Training]:
    return [
        *trainings.smallest_trainings(),
        *trainings.random_trainings(5, 0),
        *trainings.random_trainings(2, 1, deep=True),
    ]


@pytest.fixture(scope="module")
def shallow(problems: list[Training]) -> list[Training]:
    return [t for t in problems if t.maps is None]


def test_minimiser_against_scipy(shallow: list[Training]) -> None:
    for t in shallow[2:5]:
        W = t.minimiser(t.jacobian_objective, trainings.zero_start(t))

        def value(w: object, t: Training = t) -> float:
            return float(t.jacobian_objective(torch.as_tensor(w).reshape(-1, 2)))

        found = minimize(value, torch.ones(W.numel()).double().numpy(), options={"gtol": 1e-9})
        assert float(t.jacobian_objective(W)) == pytest.approx(found.fun, abs=1e-8)
        assert torch.allclose(W.flatten(), torch.as_tensor(found.x), atol=1e-3)


def test_balanced_example_by_hand() -> None:
    """x = 1 with both labels: every V with equal columns minimises L + nu^2/2, only 0 the other."""
    t = list(trainings.smallest_trainings())[1]
    ones = torch.ones(1, 2, dtype=torch.float64)
    least = torch.log(torch.tensor(2.0)).double()
    assert torch.isclose(t.cross_objective(ones), least, atol=1e-7)
    assert torch.isclose(t.jacobian_objective(ones), least + 2, atol=1e-7)
    for objective in (t.cross_objective, t.jacobian_objective):
        W = t.minimiser(objective, trainings.zero_start(t))
        assert W.abs().max() < 1e-9
    shifted = t.minimiser(t.cross_objective, trainings.shifted_start(t))
    assert torch.allclose(shifted, ones)


def test_same_minimisers(problems: list[Training]) -> None:
    found = equivalence.audit_same_minimisers(problems)
    assert not found.holds
    assert found.counterexample["x"] == [[1.0]]
    free = list(trainings.random_trainings(2, 5, (0.0,)))[1:]  # lambda = 0, not separable
    assert equivalence.audit_same_minimisers(free).holds


def test_same_functions(problems: list[Training]) -> None:
    assert equivalence.audit_same_functions(problems).holds
    assert not equivalence.audit_same_functions(problems, 0.5).holds
    assert not equivalence.audit_same_functions(problems, antisymmetric=False).holds


def test_strongly_convex(problems: list[Training], shallow: list[Training]) -> None:
    assert appendix_d.audit_strongly_convex(shallow).holds
    assert not appendix_d.audit_strongly_convex(problems).holds  # a unit that never fires
    assert not appendix_d.audit_strongly_convex(shallow, appendix_d.cross).holds
    zero = Training(shallow[0].features, shallow[0].signs, 0.0)
    assert not appendix_d.audit_strongly_convex([zero]).holds


def test_antisymmetric(problems: list[Training]) -> None:
    assert appendix_d.audit_antisymmetric(problems, appendix_d.jacobian).holds
    assert not appendix_d.audit_antisymmetric(problems, appendix_d.cross).holds


def test_steps_of_the_proof(problems: list[Training]) -> None:
    assert appendix_d.audit_difference_only(problems).holds
    assert not appendix_d.audit_difference_only(problems, 0.5).holds
    assert appendix_d.audit_split(problems).holds
    assert not appendix_d.audit_split(problems, last_term=False).holds
    assert appendix_d.audit_symmetrising(problems).holds
    assert not appendix_d.audit_symmetrising(problems, keep_difference=False).holds
    assert appendix_d.audit_equal_at_optimum(problems).holds
    assert not appendix_d.audit_equal_at_optimum(problems, 1.0).holds


def test_last_steps(problems: list[Training]) -> None:
    assert appendix_d.audit_one_combination(problems, -1).holds
    found = appendix_d.audit_one_combination(problems, 1)
    assert found.counterexample["x"] == [[1.0]]
    assert appendix_d.audit_chain(problems).holds
    assert not appendix_d.audit_chain(problems, antisymmetric=False).holds


def test_without_dead_units(problems: list[Training]) -> None:
    for t in (t for t in problems if t.maps is not None):
        alive = trainings.without_dead_units(t)
        assert alive.features.shape[1] < t.features.shape[1]
        assert appendix_d.audit_strongly_convex([alive]).holds
    with pytest.raises(ValueError, match="maps"):
        trainings.without_dead_units(problems[0])


@pytest.mark.parametrize("c", [1.0, -1.0])
def test_a_unit_that_never_fires_leaves_many_classifiers(c: float) -> None:
    """Hidden units (relu x, relu -x), the one example x = y = 1: at x = -1 anything may happen."""
    features = torch.tensor([[1.0, 0.0]]).double()
    t = Training(features, torch.ones(1).double(), 1.0, features[None])
    W = t.minimiser(t.jacobian_objective, trainings.zero_start(t)).clone()
    least = float(t.jacobian_objective(W))
    W[1] = torch.tensor([c, -c])
    assert float(t.jacobian_objective(W)) == pytest.approx(least, abs=1e-15)
    assert float(t.cross_objective(W)) == pytest.approx(least, abs=1e-15)
    away = torch.tensor([0.0, 1.0]).double() @ W  # the logits at x = -1
    assert bool(away[0] > away[1]) == (c > 0)


def test_sets_are_equal_where_no_map_is_left() -> None:
    """A = 0 on every example: every V minimises both objectives, for lambda > 0 too."""
    none = torch.zeros(1, 1).double()
    t = Training(none, torch.ones(1).double(), 1.0, none[None])
    assert equivalence.audit_same_minimisers([t]).holds
    alive = Training(none + 1, torch.ones(1).double(), 1.0, none[None] + 1)
    assert not equivalence.audit_same_minimisers([alive]).holds
