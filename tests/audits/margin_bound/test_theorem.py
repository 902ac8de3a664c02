"""The theorem against memory, the exact coverage of its parts, and the repaired bound."""

from __future__ import annotations

import itertools
import math

import pytest
import torch

from nbsrc.audits.margin_bound import chain, chance, coverage, memory, terms, theorem


def test_memory_by_hand() -> None:
    net = memory.memorise(memory.drawn(8, 80, 1), 80)
    assert net.nearest_boundary == 1
    assert net.robust(theorem.RADIUS)
    assert net.one_ball(0.77)
    assert not net.one_ball(0.76)
    assert net.monotone
    assert float(net.margins[net.sample].min()) >= net.gamma
    unseen = torch.ones(80, dtype=torch.bool)
    unseen[net.sample] = False
    base = 0.01 * net.points.abs().sum(1)
    assert torch.allclose(net.margins[unseen], base[unseen], atol=1e-9)
    assert not net.positive_within(140)


def test_robustness_of_the_memory_against_points_of_the_balls() -> None:
    """The cone argument of `robust`, and v = 1, against random points around the inputs."""
    net = memory.memorise(memory.drawn(8, 80, 1), 80)
    g = torch.Generator().manual_seed(0)
    steps = torch.nn.functional.normalize(torch.randn(500, 2, generator=g).double(), dim=1)
    for radius in (0.3, theorem.RADIUS, 0.999):
        assert net.robust(radius)
        near = (net.points[:, None] + radius * steps).reshape(-1, 2)
        assert bool((net.margin(near) > 0).all())
    assert float(net.margin(torch.zeros(1, 2).double())) == 0  # the nearest boundary point
    weights = (net.weights[0], net.weights[1].flip(0))
    assert not memory.Memory(weights, net.points, net.sample, 1.0).robust(0.1)


def test_constant_of_the_arc() -> None:
    """The arc of 90 degrees is a quarter of the circle: N(eps) <= C / eps, C the least such."""
    worst = 0.0
    for i in range(1, 2000):
        eps = memory.ARC_CONSTANT * i / 2000
        number = math.ceil(math.pi / 8 / math.asin(min(1.0, eps / 2)) * (1 - 1e-12))
        assert number <= memory.ARC_CONSTANT / eps
        worst = max(worst, number * eps)
    assert worst > 0.999 * memory.ARC_CONSTANT


def test_planted_memory_without_hypotheses(monkeypatch: pytest.MonkeyPatch) -> None:
    cases = theorem.trials((10,), (0.05,), 0, count=500)
    assert theorem.audit_hypotheses(cases).holds
    monkeypatch.setattr(memory.Memory, "nearest_boundary", 0.5)
    assert not theorem.audit_hypotheses(theorem.trials((10,), (0.05,), 0, count=500)).holds


def test_theorem() -> None:
    cases = theorem.trials((2, 3, 10, 60), (0.05, 0.9), 0, count=2000)
    found = theorem.audit_theorem(cases, lambda t: t.printed)
    assert not found.holds
    assert (found.counterexample["m"], found.counterexample["eta"]) == (3, 0.9)
    assert theorem.audit_theorem(cases, lambda t: t.with_true_margin).holds
    assert not theorem.audit_theorem(cases, lambda t: t.displayed(1.0)).holds
    assert found.counterexample["bound"] < found.counterexample["error for every sample"]
    assert theorem.audit_theorem(cases, lambda t: t.repaired).holds
    assert theorem.audit_fixed(cases, 50).holds


def test_certain_error_is_below_every_sample() -> None:
    for seed in range(5):
        trial = theorem.Trial(12, 120, 0.05, seed)
        assert trial.certain <= trial.memory.error + 1e-12


def test_worst_error_against_a_grid() -> None:
    """The worst loss cell by cell is the best of a grid of losses."""
    d = next(chance.draws(4, (0, 0, 1, 1), (2,)))
    shares, _ = d.samples
    found = coverage.worst_error(d, shares, 0.5, 1.0)
    grid = torch.tensor([0.0, 0.5, 1.0], dtype=torch.float64)
    best = torch.zeros(len(shares), dtype=torch.float64)
    for values in itertools.product(grid.tolist(), repeat=4):
        loss = torch.tensor(values, dtype=torch.float64)
        gaps = (loss[[0, 2]] - loss[[1, 3]]).abs()
        seen = torch.stack([shares[:, :2].sum(1), shares[:, 2:].sum(1)], 1) > 0
        allowed = ((gaps <= 0.5) | ~seen).all(1)
        error = ((d.mu - shares) @ loss).abs()
        best = torch.where(allowed, torch.maximum(best, error), best)
    assert torch.allclose(found, best, atol=1e-12)


def test_repaired_excess_against_a_grid() -> None:
    d = next(chance.draws(4, (0, 0, 1, 1), (2,), labels=(0, 1, 0, 1)))
    shares, _ = d.samples
    found = coverage.repaired_excess(d, shares, mean=True)
    best = torch.full((len(shares),), -9.0, dtype=torch.float64)
    assert d.labels is not None
    for one, two, a, b in itertools.product((0, 1), (0, 1), (0.0, 0.5, 1.0), (0.0, 0.5, 1.0)):
        loss = torch.ones(4, dtype=torch.float64)
        loss[one], loss[2 + two] = a, b
        cost = shares[:, one] * a + shares[:, 2 + two] * b
        best = torch.maximum(best, ((d.mu - shares) @ loss).abs() - cost)
    assert torch.allclose(found, best, atol=1e-12)
    assert bool((coverage.repaired_excess(d, shares, mean=False) <= found + 1e-12).all())


def test_coverage() -> None:
    family = [*chance.draws(4, (0, 0, 1, 1), (1, 4)), *chance.draws(4, (0, 1, 2, 3), (1, 4))]
    assert coverage.audit_xu_mannor(family, (0.0, 0.5)).holds
    assert not coverage.audit_xu_mannor(family, (0.0,), least=-9.0).holds
    assert not coverage.audit_xu_mannor(family, (0.0,), cells=0.0).holds
    labelled = list(chance.draws(4, (0, 0, 1, 1), (1, 4), labels=(0, 1, 0, 1)))
    many = list(chance.draws(10, (0,) * 10, (1, 3), labels=tuple(range(10))))
    for radius in (coverage.by_classes, coverage.any_classes, coverage.displayed):
        for mean in (False, True):
            assert coverage.audit_repaired([*labelled, *many], radius, mean=mean).holds
            assert not coverage.audit_repaired(many, radius, mean=mean, factor=0.5).holds


def test_chain() -> None:
    family = list(chance.draws(4, (0, 0, 1, 1), (1, 3), (0.5,)))
    assert chain.audit_multinomial(family).holds
    assert not chain.audit_multinomial(family, after=True).holds
    assert not chain.audit_split(family, conditional=False).holds
    assert chain.audit_split(family, conditional=True).holds
    assert chain.audit_split(family, conditional=True, total=True).holds
    assert chain.audit_remainder(family, 0.5).holds
    assert not chain.audit_remainder(family, 0.49).holds


def test_definition_8() -> None:
    """Memory: (6) needs its first term; the least epsilon by hand."""
    family = list(chance.draws(12, (0,) * 12, (2, 4)))
    assert chain.audit_definition_8(family).holds
    found = chain.audit_definition_8(family, 0.0)
    assert found.counterexample["rule"] == "memory"
    d = chance.Draw(torch.full((3,), 1 / 3).double(), torch.tensor([0, 0, 1]), 1, 0.5)
    losses = torch.tensor([[0.0, 0.25, 1.0]] * 2, dtype=torch.float64)
    seen = torch.tensor([[True, False, False], [False, False, True]])
    assert chain.least_epsilon(d, losses, seen).tolist() == [0.25, 0.0]


def test_final_radius() -> None:
    d = next(chance.draws(4, (0, 1, 2, 3), (7,), (0.5,)))
    d = chance.Draw(d.mu, d.cells, d.m, d.eta, extra={"k": 2, "C / eps": 2.0, "gamma / eps": 2.0})
    assert coverage.final_radius(d, printed=True) == coverage.final_radius(d, printed=False)
    d.extra["gamma / eps"] = 1.0
    assert coverage.final_radius(d, printed=True) > coverage.final_radius(d, printed=False)


def test_terms() -> None:
    family = terms.second_terms(50_000, 0.01, (2.0, 4.0), 20)
    assert not terms.audit_second_term(family, standard=False).holds
    assert terms.audit_second_term(family, standard=True).holds
    assert not terms.audit_second_term(family, standard=True, K=1.0).holds
    assert terms.largest_dimension(2.0, 50_000, 0.01) == 15
    with pytest.raises(ValueError, match="above 1"):
        terms.largest_dimension(1.0, 10, 0.5)
    assert not terms.audit_worst_is_mean([(0.0, 1.0)]).holds
    assert terms.audit_worst_is_mean([(0.5, 0.5)]).holds
    assert terms.audit_scaling(20, (1.0, 0.5, 0.1), 0).holds
    assert not terms.audit_scaling(20, (1.0, 0.5, 0.1), 0, tight=True).holds
