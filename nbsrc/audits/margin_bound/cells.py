"""What happens inside one ball of the cover: eqs. (8), (15), (16) and the two cases."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch

from nbsrc.audits.connections.compare import audit_at_most, audit_true
from nbsrc.audits.margin_bound.ball import Ball
from nbsrc.audits.margin_bound.networks import Example
from nbsrc.claims import Finding
from nbsrc.margins import loss_term

__all__ = [
    "audit_bound_of_losses",
    "audit_case_one",
    "audit_case_two",
    "audit_cases",
    "audit_slow",
    "audit_step_17",
    "audit_variation",
]


def audit_bound_of_losses(cells: Iterable[Ball], factor: float = 1.0) -> Finding:
    """Test ``l <= max(0, 1 - u^i / gamma) <= max(0, 1 - u / gamma)`` in the cells of case 1.

    Args:
        cells: Balls; those whose training examples are all right are taken.
        factor: Factor of the minimal margin.

    Returns:
        The finding; u^i is the smallest true margin of the ball, u the smaller one of u^i and 1, as
        if another cell had the margin 1.
    """

    def excess(b: Ball) -> float:
        own, all_cells = factor * b.u_all, factor * min(b.u_all, 1.0)
        first, second = loss_term(own, b.gamma), loss_term(all_cells, b.gamma)
        return max(float(b.losses.max()) - first, first - second)

    return audit_at_most(
        [b for b in cells if b.case_one], excess, lambda _: 0.0, tolerance=1e-12,
        family="balls whose training examples are right, true minimal margin",
    )  # fmt: skip


def audit_case_one(
    cells: Iterable[Ball], least: Callable[[Ball], float] = lambda b: b.u_all, factor: float = 1.0
) -> Finding:
    """Test (8) in the cells of case 1: a training example against any element of the ball.

    Args:
        cells: Balls; those whose training examples are all right are taken.
        least: What u_min is: the smallest true margin of all examples.
        factor: Factor of u_min.

    Returns:
        The finding.
    """
    return audit_at_most(
        [b for b in cells if b.case_one],
        lambda b: b.training_variation,
        lambda b: loss_term(factor * least(b), b.gamma),
        tolerance=1e-12, family="balls whose training examples are right, whole score gaps",
    )  # fmt: skip


def audit_step_17(cells: Iterable[Ball], factor: float) -> Finding:
    """Test that (17) is at most a multiple of ``max(0, 1 - u_min / gamma)`` where (16) holds.

    Args:
        cells: Balls; each label in a ball is a cell, so that (16) holds.
        factor: The multiple.

    Returns:
        The finding; (17) in one cell is the mean, over the training examples, of the largest
        difference of their loss and another in the cell.
    """

    def step(b: Ball) -> float:
        mine = b.losses[torch.tensor(b.seen)]
        return float((mine[:, None] - b.losses).abs().amax(1).mean())

    return audit_at_most(
        [part for b in cells for part in b.parts()], step,
        lambda b: factor * max(0.0, 1 - b.u_min / b.gamma), tolerance=1e-12,
        family="cells of ball and label, whole score gaps",
    )  # fmt: skip


def audit_variation(
    cells: Iterable[Ball],
    variation: Callable[[Ball], float] = lambda b: b.variation,
    *,
    factor: float = 1.0,
    by_label: bool = False,
) -> Finding:
    """Test that losses in a cell differ by at most ``max(0, 1 - u_min / gamma)``.

    Args:
        cells: The balls.
        variation: The difference that is meant.
        factor: Factor of the minimal margin.
        by_label: Whether each label in a ball is a cell of its own.

    Returns:
        The finding; u_min is the smallest true margin of a correctly classified example.
    """
    chosen = [part for b in cells for part in b.parts()] if by_label else cells
    return audit_at_most(
        chosen, variation, lambda b: max(0.0, 1 - factor * b.u_min / b.gamma), tolerance=1e-12,
        family="up to three examples in a ball, whole score gaps",
    )  # fmt: skip


def audit_cases(cells: Iterable[Ball], *, by_label: bool = False) -> Finding:
    """Test that the training examples of a cell are all right or all wrong.

    Args:
        cells: The balls.
        by_label: Whether each label in a ball is a cell of its own.

    Returns:
        The finding.
    """

    def one_case(b: Ball) -> bool:
        return len({r for r, s in zip(b.right, b.seen, strict=True) if s}) == 1

    chosen = [part for b in cells for part in b.parts()] if by_label else cells
    return audit_true(chosen, one_case, family="training examples in a ball, predicted class 1")


def audit_case_two(
    cells: Iterable[Ball], statement: Callable[[Ball], bool], *, by_label: bool = False
) -> Finding:
    """Test a statement on the cells whose training examples are all wrong.

    Args:
        cells: The balls.
        statement: The statement.
        by_label: Whether each label in a ball is a cell of its own.

    Returns:
        The finding.
    """
    chosen = [part for b in cells for part in b.parts()] if by_label else cells
    wrong = [b for b in chosen if not any(r and s for r, s in zip(b.right, b.seen, strict=True))]
    return audit_true(wrong, statement, family="balls whose training examples are all wrong")


def audit_slow(examples: Iterable[Example], gamma: float, bound: float | None = None) -> Finding:
    """Test that robustness keeps the margin's change in a ball within ``gamma - u_min``.

    Args:
        examples: Robust examples whose support is one ball.
        gamma: Width of the ramp.
        bound: Another bound of the change.

    Returns:
        The finding.
    """

    def change(e: Example) -> float:
        u = e.margin(e.points)
        return float(u.max() - u.min())

    def allowed(e: Example) -> float:
        return gamma * loss_term(float(e.margin(e.points).min()), gamma)

    return audit_at_most(
        examples, change, allowed if bound is None else lambda _: bound, tolerance=1e-9,
        family="robust networks, inputs in one ball",
    )  # fmt: skip
