"""The order of the penalties, eq. (12), and whether a step on a penalty lowers nu."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import torch

from nbsrc.audits.connections.compare import audit_at_most, combine
from nbsrc.audits.connections.instances import Instance
from nbsrc.audits.finding import Case, collect
from nbsrc.claims import Finding
from nbsrc.perturbation import binary_penalties, critical_products

__all__ = [
    "audit_descent_lowers_nu",
    "audit_eq12",
    "audit_penalty_chain",
    "audit_penalty_falls",
]

TOLERANCE = 1e-10
TWO = "two classes, columns of every kind"


def audit_penalty_chain(instances: Iterable[Instance], factor: float = 0.5) -> Finding:
    """Test ``(1 - p)^2 nu^2 <= p (1 - p) nu^2 <= mu^2 / 2``.

    Args:
        instances: Two-class instances.
        factor: What stands for 1/2; a smaller number plants an error.

    Returns:
        The finding.
    """
    cases = [(x, binary_penalties(x.p, x.V)) for x in instances]
    found = {id(x): values for x, values in cases}
    every = [x for x, _ in cases]
    return combine(
        audit_at_most(
            every, lambda x: float(found[id(x)].input_gradient),
            lambda x: float(found[id(x)].curvature), tolerance=TOLERANCE, family=TWO,
        ),
        audit_at_most(
            every, lambda x: float(found[id(x)].curvature),
            lambda x: factor * float(found[id(x)].jacobian), tolerance=TOLERANCE, family=TWO,
        ),
        family=TWO,
    )  # fmt: skip


def audit_eq12(instances: Iterable[Instance], weight: float = 1.0) -> Finding:
    """Test eq. (12): ``nu^2/2 <= |v_+|^2/2 + |v_+ . v_-| + |v_-|^2/2 <= mu^2``.

    Args:
        instances: Two-class instances.
        weight: Factor of the middle term's product; anything but 1 plants an error.

    Returns:
        The finding.
    """

    def middle(x: Instance) -> float:
        squares = float(x.V.square().sum()) / 2
        return squares + weight * abs(float(x.V[:, 0] @ x.V[:, 1]))

    every = list(instances)
    return combine(
        audit_at_most(every, lambda x: x.nu**2 / 2, middle, tolerance=TOLERANCE, family=TWO),
        audit_at_most(
            every, middle, lambda x: float(x.V.square().sum()), tolerance=TOLERANCE, family=TWO
        ),
        family=TWO,
    )


def audit_descent_lowers_nu(
    instances: Iterable[Instance], names: tuple[str, ...], largest_margin: float = math.inf
) -> Finding:
    """Test that a small gradient step on a penalty lowers nu, with p following V.

    Args:
        instances: Two-class instances with ``nu > 0`` and a whole or random V.
        names: Penalties: fields of :class:`nbsrc.perturbation.penalties.Penalties`.
        largest_margin: Leave out points whose margin is larger.

    Returns:
        The finding; the slack is minus the relative change of ``nu^2`` per unit step, so positive
        where nu falls.
    """

    def changes(x: Instance) -> Iterator[tuple[str, float]]:
        V = x.V.clone().requires_grad_()
        a = V[:, 0] - V[:, 1]
        q = torch.sigmoid(-x.sign * (a @ x.x))
        values = {
            "jacobian": V.square().sum(),
            "cross_lipschitz": a.square().sum() / 2,
            "input_gradient": (q * a).square().sum(),
            "curvature": q * (1 - q) * a.square().sum(),
        }
        for name in names:
            slope = torch.autograd.grad(values[name], V, retain_graph=True)[0]
            yield name, float(2 * x.a @ (slope[:, 0] - slope[:, 1])) / x.nu**2

    def cases() -> Iterator[Case]:
        for x in instances:
            if x.nu > 0 and x.margin <= largest_margin:
                for name, change in changes(x):
                    shown = {**x.description, "penalty": name, "margin": x.margin}
                    yield change, x.size, shown

    return collect(cases(), tolerance=1e-10, family="one-layer networks, right and wrong points")


def audit_penalty_falls(
    instances: Iterable[Instance], *, below_critical: bool, shrink: float = 0.999
) -> Finding:
    """Test that both p-dependent penalties fall when ``v_+ - v_-`` is made shorter.

    The direction of ``v_+ - v_-``, and so the point's distance gamma from the boundary, is kept; p
    follows.

    Args:
        instances: Two-class instances.
        below_critical: Only test a penalty below its critical product ``nu gamma`` (the zeros of
            eqs. (44) and (45)), on either side for the curvature.
        shrink: Factor of V.

    Returns:
        The finding; relative change, positive where the penalty falls.
    """
    ends = critical_products()

    def cases() -> Iterator[Case]:
        for x in instances:
            if x.nu == 0:
                continue
            other = Instance(shrink * x.V, x.x, x.label)
            tested = {"input_gradient": x.margin < ends.gradient}
            tested["curvature"] = abs(x.margin) < ends.curvature
            before, after = (vars(binary_penalties(i.p, i.V)) for i in (x, other))
            for name, inside in tested.items():
                if inside or not below_critical:
                    change = float(1 - after[name] / before[name])
                    yield change, x.size, {**x.description, "penalty": name, "nu gamma": x.margin}

    return collect(cases(), tolerance=0, family="shorter v_+ - v_- of the same direction")
