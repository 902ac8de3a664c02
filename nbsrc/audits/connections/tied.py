"""Appendix G: the label's probability tied to nu through the distance gamma of the input."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise

import torch
from sklearn.datasets import load_digits
from torch import Tensor

from nbsrc.audits.connections.compare import audit_equal, audit_true
from nbsrc.audits.connections.instances import Instance
from nbsrc.audits.finding import collect
from nbsrc.claims import Finding
from nbsrc.perturbation.coupling import printed_slopes, taylor_over_exact
from nbsrc.perturbation.flow import descend

__all__ = [
    "PRINTED_PRODUCTS",
    "audit_critical",
    "audit_gap",
    "audit_probability",
    "audit_pushes_down",
    "audit_slope",
    "audit_taylor_depends_on_nu",
    "cases_of",
    "share_beyond",
    "slopes",
]

PRINTED_PRODUCTS = {"input gradient": 1.28, "curvature": 2.40}
"""The critical values of ``nu gamma`` as appendix G prints them."""

Pair = tuple[float, float]


def cases_of(count: int, seed: int, *, wrong: bool) -> list[Pair]:
    """Return values of nu and of the signed distance gamma: whole ones, then random ones.

    Args:
        count: How many random ones.
        seed: Seed.
        wrong: Include misclassified points, whose signed distance is negative.

    Returns:
        Pairs ``(nu, gamma)``.
    """
    signs = (1.0, -1.0) if wrong else (1.0,)
    whole = [(float(a), s * b) for a in (1, 2, 3) for b in (0.0, 1.0, 2.0, 4.0) for s in signs]
    g = torch.Generator().manual_seed(seed)
    drawn = torch.rand(count, 2, generator=g, dtype=torch.float64) * 4
    return whole + [(float(a), float(b) * signs[i % len(signs)]) for i, (a, b) in enumerate(drawn)]


def slopes(nu: Tensor, gamma: Tensor) -> dict[str, Tensor]:
    r"""Return the derivatives with respect to nu of both penalties, by autograd throughout.

    The network is ``V = [nu/2, -nu/2]`` at ``x = gamma`` with label 0: its distance to the
    hyperplane is gamma, and nothing of the printed formulas is used.

    Args:
        nu: Shape ``[m]``.
        gamma: Signed distances, shape ``[m]``.

    Returns:
        ``"input gradient"`` and ``"curvature"``, each ``[m]``.
    """
    width, x = nu.clone().requires_grad_(), gamma.clone().requires_grad_()
    logits = torch.stack([width / 2 * x, -width / 2 * x], -1)
    loss = -torch.log_softmax(logits, -1)[:, 0].sum()
    slope = torch.autograd.grad(loss, x, create_graph=True)[0]
    curvature = torch.autograd.grad(slope.sum(), x, create_graph=True)[0]
    return {
        "input gradient": torch.autograd.grad(slope.square().sum(), width, retain_graph=True)[0],
        "curvature": torch.autograd.grad(curvature.sum(), width)[0],
    }


def audit_slope(pairs: Sequence[Pair], penalty: str, *, absolute: bool) -> Finding:
    """Test (44) or (45) against the derivative.

    Args:
        pairs: Values of nu and the signed gamma.
        penalty: ``"input gradient"`` for (44), ``"curvature"`` for (45).
        absolute: Put ``|gamma|`` into the formula, as the paper defines it.

    Returns:
        The finding; the slack is minus the error relative to nu.
    """
    nu, gamma = torch.tensor(pairs, dtype=torch.float64).T
    truth = slopes(nu, gamma)[penalty]
    both = printed_slopes(nu, gamma.abs() if absolute else gamma)
    printed = both[0] if penalty == "input gradient" else both[1]
    errors = ((printed - truth).abs() / nu).tolist()
    return collect(
        (
            (-error, (int(a != round(a)), round(10 * (a + abs(b)))), {"nu": a, "signed gamma": b})
            for error, (a, b) in zip(errors, pairs, strict=True)
        ),
        tolerance=1e-10,
        family="whole and random nu and gamma",
    )


def audit_probability(instances: Iterable[Instance], *, signed: bool) -> Finding:
    r"""Test that ``p_+`` is :math:`\sigma(\nu\gamma)`.

    Args:
        instances: Two-class instances with ``v_+ != v_-``.
        signed: Let gamma carry its sign; the paper takes the absolute value.

    Returns:
        The finding.
    """

    def formula(x: Instance) -> Tensor:
        distance = x.a @ x.x / x.nu
        return torch.sigmoid(x.nu * (distance if signed else distance.abs()))

    return audit_equal(
        [x for x in instances if x.nu > 0], formula,
        lambda x: torch.softmax(x.logits(), -1)[0],
        tolerance=1e-9, family="two classes, both sides of the boundary",
    )  # fmt: skip


def audit_critical(
    roots: dict[str, float], printed: dict[str, float] = PRINTED_PRODUCTS
) -> Finding:
    """Test that the printed products are where the derivatives vanish, to two decimals.

    Args:
        roots: The exact zeros by penalty.
        printed: The printed values.

    Returns:
        The finding; the slack is half a unit of the last digit minus the error. That the zeros are
        zeros is tested as well, with the derivative by autograd on both sides of them.
    """

    def slack(name: str) -> float:
        near = torch.tensor([roots[name] - 1e-6, roots[name] + 1e-6], dtype=torch.float64)
        below, above = slopes(torch.ones(2, dtype=torch.float64), near)[name].tolist()
        error = abs(roots[name] - printed[name])
        return 0.005 - error if below > 0 > above else -1.0

    return collect(
        ((slack(n), (i,), {"penalty": n, "root": roots[n]}) for i, n in enumerate(roots)),
        tolerance=0,
        family="both penalties",
    )


def audit_pushes_down(products: Iterable[float], penalty: str) -> Finding:
    """Test that a penalty grows with nu, so that penalising it pushes nu down.

    Args:
        products: Values of ``nu gamma``, negative for misclassified points.
        penalty: ``"input gradient"`` or ``"curvature"``.

    Returns:
        The finding; the slack is the derivative at ``nu = 1``.
    """
    gamma = torch.tensor(list(products), dtype=torch.float64)
    found = slopes(torch.ones_like(gamma), gamma)[penalty].tolist()
    return collect(
        (
            (slope, (round(1000 * abs(t)),), {"nu gamma": t, "slope": slope})
            for t, slope in zip(gamma.tolist(), found, strict=True)
        ),
        tolerance=0,
        family=f"{len(found)} values of nu gamma",
    )


def audit_gap(products: Iterable[float], inside: Callable[[float], bool]) -> Finding:
    """Test that the two penalties pull nu in opposite directions exactly inside a set.

    Args:
        products: Values of ``nu gamma``.
        inside: Whether a value is in the set.

    Returns:
        The finding.
    """
    gamma = torch.tensor(list(products), dtype=torch.float64)
    found = slopes(torch.ones_like(gamma), gamma)
    opposite = (found["input gradient"].sign() != found["curvature"].sign()).tolist()
    return collect(
        (
            (0.0 if inside(t) == differs else -1.0, (i,), {"nu gamma": t})
            for i, (t, differs) in enumerate(zip(gamma.tolist(), opposite, strict=True))
        ),
        tolerance=0,
        family="values of nu gamma on both sides of the zeros",
    )


def audit_taylor_depends_on_nu(
    products: Sequence[float], ratio: Callable[[float], Tensor] = taylor_over_exact
) -> Finding:
    """Test that ``|r*| / gamma`` grows with nu, although the exact distance gamma does not move.

    Args:
        products: Increasing values of ``nu gamma``.
        ratio: The distance divided by gamma as a function of the product.

    Returns:
        The finding.
    """

    class Step:
        def __init__(self, low: float, high: float) -> None:
            self.low, self.high = low, high
            self.size = (round(100 * low),)
            self.description = {"nu gamma": low, "next": high}

    steps = [Step(low, high) for low, high in pairwise(products)]
    return audit_true(
        steps,
        lambda s: float(ratio(s.high)) > float(ratio(s.low)) >= 1,
        family="increasing values of nu gamma",
    )


def share_beyond(
    roots: dict[str, float], seed: int, *, steps: int = 300, digits: tuple[int, int] = (1, 7)
) -> dict[str, float]:
    """Return the share of training points whose ``nu gamma`` lies beyond each critical product.

    A linear classifier with two outputs on two of scikit-learn's digits, full-batch gradient
    descent without a penalty and without offsets.

    Args:
        roots: The critical products by penalty.
        seed: Seed of the start.
        steps: Number of steps.
        digits: The two classes.

    Returns:
        The shares by penalty, with the accuracy under ``"accuracy"``.
    """
    images, names = load_digits(return_X_y=True)
    chosen = (names == digits[0]) | (names == digits[1])
    x = torch.from_numpy(images[chosen] / 16.0)
    y = torch.from_numpy((names[chosen] == digits[1]).astype("int64"))
    g = torch.Generator().manual_seed(seed)
    start = 0.01 * torch.randn(x.shape[1], 2, generator=g, dtype=torch.float64)
    V = descend(x, y, start, penalty="none", strength=0.0, rate=0.5, steps=steps)[-1]
    z = x @ V
    products = (z[:, 1] - z[:, 0]) * (2 * y - 1)  # the signed nu gamma of every point
    shares = {name: float((products > root).double().mean()) for name, root in roots.items()}
    return {**shares, "accuracy": float((products > 0).double().mean())}
