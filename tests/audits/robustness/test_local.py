"""Ranges on boxes against dense samples; what a local Lipschitz constant promises."""

from __future__ import annotations

import pytest
import torch

from nbsrc.audits.robustness import local
from nbsrc.audits.robustness.local import Ball
from nbsrc.lipschitz import lipschitz_constant

BALLS = list(local.random_balls(4, 0))


def test_random_balls() -> None:
    assert len(BALLS) == 1 + 9 * 4
    first = BALLS[0]
    ends = first.centre + first.eps * torch.tensor([[-1.0], [0.0], [1.0]]).double()
    assert first.network(ends)[:, 0].tolist() == [1.25, 1.25, 1.625]  # 5/8 from the label 1
    assert (first.label, first.eps) == (1, 0.375)
    for ball in BALLS[1:]:
        output = float(ball.network(ball.centre[None]))
        assert -0.5 <= ball.label - output <= 1.5
    assert {len(ball.centre) for ball in BALLS} == {1, 2}


@pytest.mark.parametrize("number", range(0, 37, 4))
def test_range_on_box_against_dense_samples(number: int) -> None:
    ball = BALLS[number]
    low, high = local.range_on_box(ball.network, ball.centre, ball.eps)
    ticks = torch.linspace(-1, 1, 201, dtype=torch.float64)
    grid = torch.cartesian_prod(*[ticks] * len(ball.centre)).reshape(-1, len(ball.centre))
    values = ball.network(ball.centre + ball.eps * grid).detach()
    slope = lipschitz_constant(ball.network, float("inf")).value
    gap = slope * ball.eps / 200  # half a step of the grid
    assert low - 1e-9 <= float(values.min()) <= low + gap + 1e-9
    assert high - gap - 1e-9 <= float(values.max()) <= high + 1e-9


def test_range_on_box_worked_out_by_hand() -> None:
    """|x - 1| on [0.5, 2] runs from 0 at the kink to 1."""
    up_and_down = torch.nn.Sequential(
        local.integer_layer(torch.tensor([[1], [-1]]), torch.tensor([-1, 1])),
        torch.nn.ReLU(),
        local.integer_layer(torch.tensor([[1, 1]]), torch.tensor([0])),
    )
    low, high = local.range_on_box(up_and_down, torch.tensor([1.25]).double(), 0.75)
    assert (low, high) == (pytest.approx(0, abs=1e-12), pytest.approx(1))


def test_range_on_box_needs_a_solved_programme(monkeypatch: pytest.MonkeyPatch) -> None:
    class Unsolved:
        success, message = False, "time limit"

    monkeypatch.setattr(local, "linprog", lambda *_, **__: Unsolved())
    with pytest.raises(RuntimeError, match="was not solved: time limit"):
        local.range_on_box(BALLS[0].network, BALLS[0].centre, 0.5)


def test_local_slope(monkeypatch: pytest.MonkeyPatch) -> None:
    found = local.audit_local_slope(BALLS, centre=False)
    assert not found.holds
    assert found.counterexample == {
        "centre": [0.0],
        "output at the centre": 1.25,
        "label": 1,
        "eps": 0.375,
        "local constant": pytest.approx(1),
        "largest distance from the label": pytest.approx(0.625),
    }
    corrected = local.audit_local_slope(BALLS, centre=True)
    assert corrected.holds
    assert 0 < corrected.trials < len(BALLS)
    assert corrected.worst_slack < 0.5
    assert not local.audit_local_slope(BALLS, centre=True, slope_factor=0.25).holds


def test_local_slope_finds_a_constant_that_overlooks_a_kink(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """relu(3x) on [-3/4, 1/4]: flat at the centre, slope 3 at the right end, value 3/4 there."""
    ramp = torch.nn.Sequential(
        local.integer_layer(torch.tensor([[3]]), torch.tensor([0])),
        torch.nn.ReLU(),
        local.integer_layer(torch.tensor([[1]]), torch.tensor([0])),
    )
    ball = Ball(ramp, torch.tensor([-0.25]).double(), 0, 0.5)
    assert local.audit_local_slope([ball], centre=True).trials == 0  # 3/2 is no small slope
    true = local.lipschitz_constant

    def at_the_centre(network: torch.nn.Module, order: float, box: tuple[torch.Tensor, ...]):
        middle = (box[0] + box[1]) / 2
        return true(network, order, (middle - 1e-6, middle + 1e-6))

    monkeypatch.setattr(local, "lipschitz_constant", at_the_centre)
    found = local.audit_local_slope([*BALLS, ball], centre=True)
    assert not found.holds
    assert found.counterexample["largest distance from the label"] == pytest.approx(0.75)


def test_local_slope_reports_the_smallest() -> None:
    """One dimension before two, in any order."""
    one = BALLS[0]
    flat = local.integer_layer(torch.tensor([[1.0, 0.0]]), torch.tensor([0.0]))
    network = torch.nn.Sequential(flat, *one.network[1:])
    two = one._replace(network=network, centre=torch.zeros(2).double())
    for balls in ([two, one], [one, two]):
        found = local.audit_local_slope(balls, centre=False)
        assert found.trials == 2
        assert found.counterexample["centre"] == [0.0]
    alone = local.audit_local_slope([two], centre=False)
    assert alone.counterexample["centre"] == [0.0, 0.0]


@pytest.mark.parametrize(("label", "trials"), [(1, 1), (2, 0), (0, 0)])
def test_wrong_centres_are_passed_over(label: int, trials: int) -> None:
    """A constant 3/2 - 2^-8 is right for label 1; a wrong centre needs no ball to be lost."""
    flat = torch.nn.Sequential(
        local.integer_layer(torch.tensor([[0.0]]), torch.tensor([1.5 - 2**-8]))
    )
    found = local.audit_local_slope([Ball(flat, torch.zeros(1).double(), label, 1.0)], centre=False)
    assert found.trials == trials
    assert found.holds == bool(trials)


def test_the_bound_is_sharp() -> None:
    """f(x) = x at 0 with label 0 and eps just under one half: the room is used up."""
    line = torch.nn.Sequential(
        local.integer_layer(torch.tensor([[1], [-1]]), torch.tensor([0, 0])),
        torch.nn.ReLU(),
        local.integer_layer(torch.tensor([[1, -1]]), torch.tensor([0])),
    )
    ball = Ball(line, torch.zeros(1).double(), 0, 0.5 - 2**-20)
    found = local.audit_local_slope([ball], centre=True)
    assert found.holds
    assert found.worst_slack == pytest.approx(2**-20, rel=1e-6)
