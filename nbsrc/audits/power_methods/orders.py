"""What projected gradient ascent does for orders p other than 1, 2 and infinity."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch
from torch import Tensor

from nbsrc.audits.finding import Case as Result
from nbsrc.audits.finding import collect
from nbsrc.audits.power_methods.cases import Case, linear_net
from nbsrc.audits.power_methods.iteration import Step, steepest
from nbsrc.audits.power_methods.lp_balls import project_lp_ball
from nbsrc.audits.power_methods.theorem import attack_path
from nbsrc.claims import Finding
from nbsrc.operator_norm import power_method

__all__ = ["audit_power_of_order", "audit_projection", "order_of_attack"]


def order_of_attack(p: float) -> float:
    r"""Return :math:`p' = 1 + (p-1)^2`: the order whose power method eq. (15) performs.

    Two duality maps are applied, one by the steepest step and one by the projection:
    :math:`(p^*-1)^2 = p'^*-1` and :math:`(p-1)(p^*-1) = 1`.

    Args:
        p: The order of the ball.

    Returns:
        The order.

    Example:
        >>> [order_of_attack(p) for p in (1, 1.5, 2, 3)]
        [1, 1.25, 2, 5]
    """
    return 1 + (p - 1) ** 2


def audit_power_of_order(
    cases: Iterable[Case],
    p: float,
    q: float,
    order: float,
    *,
    step: Step = steepest,
    alpha: float = 1e9,
    tolerance: float = 1e-4,
) -> Finding:
    """Test that the attack in an lp ball follows the power method of an order, renormalised.

    Args:
        cases: The cases.
        p: The order of the ball, above 1 and finite.
        q: The order of the loss.
        order: The order in the domain of the power method; its iterates are divided by their
            p-norm.
        step: The direction of the step.
        alpha: Step size in units of eps.
        tolerance: Largest difference; the limit is approached like a power of ``1 / alpha``.

    Returns:
        The finding; a trial is a start.
    """

    def results() -> Iterator[Result]:
        for case in cases:
            starts = case.directions
            starts = starts / torch.linalg.vector_norm(starts, p, dim=-1, keepdim=True).clamp(min=1)
            starts = starts[(starts @ case.J.T).any(-1)]
            if not len(starts):
                continue
            one = attack_path(
                _Linear(case), p, q, 4, alpha=alpha, starts=starts, step=step,
                project=project_lp_ball,
            )[1:]  # fmt: skip
            vs = power_method(case.J, order, q, starts, 4, keep_iterates=True).vs
            assert vs is not None
            two = vs[1:] / torch.linalg.vector_norm(vs[1:], p, dim=-1, keepdim=True)
            for number, error in enumerate((one - two).abs().amax((0, 2)).tolist()):
                shown = {
                    **case.description, "p": p, "q": q, "order": order,
                    "start": starts[number].tolist(), "attack": one[0, number].tolist(),
                    "power method": two[0, number].tolist(),
                }  # fmt: skip
                yield -error, (*case.size, number), shown

    return collect(results(), tolerance=tolerance, family=f"p = {p:g}, q = {q:g}, 4 steps")


class _Linear(Case):
    """The linear map of a case, with a ball of radius 1."""

    def __init__(self, case: Case) -> None:
        net = linear_net(case.J)
        x = torch.zeros(1, case.J.shape[1], dtype=torch.float64)
        super().__init__(net, x, case.directions, case.words, case.whole)

    def radius(self, p: float) -> float:
        """Return 1.

        Args:
            p: Not used.

        Returns:
            1.
        """
        return 1.0


def audit_projection(p: float, count: int, seed: int) -> Finding:
    """Test the projection: feasible, and no point of the ball makes an acute angle with the rest.

    Args:
        p: The order of the ball, above 1 and finite.
        count: Random points.
        seed: Seed.

    Returns:
        The finding; the slack is minus the largest violation of a condition.
    """
    g = torch.Generator().manual_seed(seed)

    def results() -> Iterator[Result]:
        for number in range(count):
            n = 1 + number % 5
            x = torch.randn(1, n, generator=g, dtype=torch.float64) * 10.0 ** (number % 4 - 1)
            zero, one = torch.zeros_like(x), torch.ones(1, dtype=torch.float64)
            y = project_lp_ball(x, zero, one, p)
            others = torch.randn(50, n, generator=g, dtype=torch.float64)
            others = others / torch.linalg.vector_norm(others, p, dim=-1, keepdim=True)
            size = float(torch.linalg.vector_norm(y, p))
            acute = float(((others - y) @ (x - y).T).amax()) / max(1.0, float(x.abs().max()))
            yield -max(size - 1, acute), (n, number), {"p": p, "x": _list(x)}

    return collect(results(), tolerance=1e-9, family=f"points in and around the unit ball, p = {p}")


def _list(x: Tensor) -> list[float]:
    found: list[float] = x.flatten().tolist()
    return found
