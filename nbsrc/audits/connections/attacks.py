"""Problems (1) and (2) for linear classifiers, and the two attacks that are said to solve them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np
import torch
from scipy.optimize import minimize
from torch import Tensor

from nbsrc.audits.connections.derivatives import gradient
from nbsrc.audits.connections.instances import Instance, box_corners
from nbsrc.audits.finding import Case, collect
from nbsrc.claims import Finding
from nbsrc.perturbation import exact_perturbation_norm, exact_worst_loss

__all__ = [
    "audit_deepfool",
    "audit_fgsm",
    "audit_minimum_is_attained",
    "audit_worst_loss_formula",
    "deepfool_step",
    "first_winner",
    "shortest_by_programming",
]


def first_winner(instance: Instance, r: Tensor) -> set[int]:
    """Return the predicted class at ``x + r``: the first of the largest logits.

    Args:
        instance: The instance.
        r: The step.

    Returns:
        A set of one class.
    """
    return {int(instance.logits(r).argmax())}


def all_winners(instance: Instance, r: Tensor) -> set[int]:
    """Return all classes that share the largest logit at ``x + r``.

    Args:
        instance: The instance.
        r: The step.

    Returns:
        The classes; two logits closer than 1e-9 count as equal.
    """
    z = instance.logits(r)
    return {k for k in range(len(z)) if float(z.max() - z[k]) <= 1e-9}


def deepfool_step(instance: Instance) -> Tensor:
    """Return DeepFool's step for an affine classifier: onto the nearest boundary hyperplane.

    Args:
        instance: A correctly classified instance with pairwise different columns.

    Returns:
        Shape ``[n]``.
    """
    z, y = instance.logits(), instance.label
    others = [k for k in range(instance.classes) if k != y]
    normals = {k: instance.V[:, k] - instance.V[:, y] for k in others}
    distance = {k: float((z[y] - z[k]) / normals[k].norm()) for k in others}
    nearest = min(others, key=distance.__getitem__)
    step: Tensor = distance[nearest] * normals[nearest] / normals[nearest].norm()
    return step


def shortest_by_programming(instance: Instance) -> float:
    """Return the shortest l2 step to a tie, by one quadratic program per class (scipy's SLSQP).

    Args:
        instance: A correctly classified instance.

    Returns:
        The length.
    """
    lengths = []
    for k in range(instance.classes):
        if k == instance.label:
            continue
        normal = (instance.V[:, k] - instance.V[:, instance.label]).numpy()
        gap = float(instance.logits()[instance.label] - instance.logits()[k])
        width = float(np.linalg.norm(normal))
        unit, scale = normal / width, gap / width  # the program in units of the answer's size
        found = minimize(
            lambda u: float(u @ u),
            np.full(len(unit), 0.3),
            jac=lambda u: 2 * u,
            method="SLSQP",
            constraints={
                "type": "ineq",
                "fun": lambda u, n=unit: float(n @ u) - 1,
                "jac": lambda u, n=unit: n,
            },
            options={"maxiter": 300, "ftol": 1e-15},
        )
        if float(unit @ found.x) >= 1 - 1e-9:
            lengths.append(scale * float(np.sqrt(found.fun)))
    return min(lengths, default=float("inf"))


def audit_minimum_is_attained(
    instances: Iterable[Instance],
    winners: Callable[[Instance, Tensor], set[int]] = all_winners,
) -> Finding:
    """Test that (1) has a minimum: the infimum's own step changes the argmax, no shorter one does.

    Args:
        instances: Correctly classified instances.
        winners: What the argmax is at a tie.

    Returns:
        The finding; the slack is 0 or -1.
    """

    def attained(x: Instance) -> bool:
        before = winners(x, torch.zeros_like(x.x))
        r = exact_perturbation_norm(x.logits(), x.V, x.label, 2).perturbation
        shorter = [0.999 * sign * r for sign in (1, -1)]
        return winners(x, r) != before and all(winners(x, s) == before for s in shorter)

    results = ((0.0 if attained(x) else -1.0, x.size, x.description) for x in instances)
    return collect(results, tolerance=0, family="linear classifiers of two classes")


def audit_worst_loss_formula(
    instances: Iterable[Instance], epsilon: float, dual: Callable[[float], float]
) -> Finding:
    """Test ``log(1 + exp(eps |a|_q - m))`` as the value of (2), for p = 1 and p = infinity.

    Args:
        instances: Two-class instances, at most eight inputs.
        epsilon: The radius.
        dual: Gives q for p.

    Returns:
        The finding; all corners of the ball are tried.
    """

    def cases() -> Iterator[Case]:
        for x in instances:
            eye = torch.eye(len(x.x), dtype=torch.float64)
            box = box_corners(len(x.x))
            for p, corners in ((1.0, torch.cat([eye, -eye])), (float("inf"), box)):
                largest = float(x.loss(epsilon * corners).max())
                width = torch.linalg.vector_norm(x.a, dual(p))
                value = float(exact_worst_loss(x.margin, width, epsilon))
                yield -abs(value - largest) / max(value, largest), x.size, x.description

    return collect(cases(), tolerance=1e-10, family="linear classifiers, l1 and linf balls")


def audit_fgsm(
    instances: Iterable[Instance], epsilon: float, precision: torch.dtype = torch.float64
) -> Finding:
    """Test that the step ``epsilon sign(gradient)`` reaches the largest loss of the box.

    Args:
        instances: Instances, at most eight inputs; the loss is convex in r, so that a corner is
            optimal.
        epsilon: Half the side of the box.
        precision: Of the gradient. In single precision p rounds to 1 at margins from 17 on, the
            label's part of the gradient vanishes, and the sign can be wrong.

    Returns:
        The finding; relative slack of the loss.
    """

    def cases() -> Iterator[Case]:
        for x in instances:
            box = box_corners(len(x.x))
            largest = float(x.loss(epsilon * box).max())
            V, point, bias = (v.to(precision) for v in (x.V, x.x, x.bias))
            rounded = Instance(V, point, x.label, bias)
            reached = float(x.loss(epsilon * gradient(rounded).sign().double()))
            shown = {**x.description, "reached": reached, "largest": largest}
            yield (reached - largest) / largest, x.size, shown

    return collect(cases(), tolerance=1e-9, family="linear classifiers, corners of the box")


def audit_deepfool(
    instances: Iterable[Instance],
    *,
    overshoot: float,
    winners: Callable[[Instance, Tensor], set[int]] = first_winner,
    optimum: Callable[[Instance], float] = shortest_by_programming,
) -> Finding:
    """Test that DeepFool's step changes the class and is as short as possible.

    Args:
        instances: Correctly classified instances of affine classifiers.
        overshoot: By how much the step is lengthened before its class is asked for.
        winners: What the argmax is at a tie.
        optimum: The length of the shortest step.

    Returns:
        The finding; the slack is minus the relative excess of the length, -1 where the class stays.
    """

    def slack(x: Instance) -> float:
        r = deepfool_step(x)
        if winners(x, (1 + overshoot) * r) == winners(x, torch.zeros_like(r)):
            return -1.0
        best = optimum(x)
        return -abs(float(r.norm()) - best) / best

    points = list(instances)
    counts = sorted({x.classes for x in points})
    results = ((slack(x), x.size, x.description) for x in points)
    family = f"affine classifiers, number of classes: {', '.join(map(str, counts))}"
    return collect(results, tolerance=1e-6, family=family)
