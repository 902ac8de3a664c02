"""Where the inequalities of appendix E can fail, over the number of classes and p_y."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

__all__ = ["INEQUALITIES", "inequality_map", "rival_shares", "softmax_norm", "worst_ratio"]

INEQUALITIES = {
    "gradient": r"$\Vert\nabla\Vert^2/2 \leq \Vert H\Vert$",
    "ordered": r"$\Vert H\Vert \leq \frac{1}{2}K(K-1)\,p_y(1-p_y)\,\nu^2$, all pairs",
    "unordered": r"$\Vert H\Vert \leq \frac{1}{2}K(K-1)\,p_y(1-p_y)\,\nu^2$, pairs $i<j$",
}
"""The inequalities of the map: a half of appendix E's chain, and (43) in both readings.

:meta hide-value:
"""


def softmax_norm(p: Tensor) -> float:
    r"""Return :math:`\|\mathrm{diag}(p)-pp^\top\|_2`.

    Args:
        p: Probabilities, shape ``[K]``.

    Returns:
        The norm: the largest :math:`\|H\|_2/S` over all V.
    """
    return float(torch.linalg.eigvalsh(torch.diag(p) - torch.outer(p, p))[-1])


def rival_shares(classes: int, p_y: float, strongest: float, others: int) -> Tensor:
    """Share what the label leaves: one strong rival, and the rest equally among some others.

    Args:
        classes: Number of classes.
        p_y: The label's probability.
        strongest: The strongest rival's probability.
        others: How many further classes get the rest; with 0 the strongest gets everything.

    Returns:
        Probabilities, the label's first and the strongest rival's second.
    """
    p = torch.zeros(classes, dtype=torch.float64)
    p[0] = p_y
    p[1] = strongest if others else 1 - p_y
    if others:
        p[2 : others + 2] = (1 - p_y - strongest) / others
    return p


def _allowed(classes: int, p_y: float) -> Iterator[Tensor]:
    """Yield ways of sharing in which no rival is more probable than the label."""
    limit = min(p_y, 1 - p_y)
    for others in range(classes - 1):
        low = (1 - p_y) / (others + 1)  # the strongest rival has at least an equal share
        if low <= limit * (1 + 1e-12):
            for part in range(9 if others else 1):
                yield rival_shares(classes, p_y, low + (limit - low) * part / 8, others)


def worst_ratio(name: str, classes: int, p_y: float) -> float:
    r"""Return the largest ratio of left to right side over V and the rivals' shares.

    One rival is strong and the others share the rest equally; several shares are tried.

    For the Hessian, :math:`\|H\|_2 \le \|\mathrm{diag}(p)-pp^\top\|_2\,S` is attained, and the
    right side is :math:`c\,p_y(1-p_y)S` with c = K - 1 or (K - 1)/2. For the gradient the largest
    ratio is :math:`(1-p_y)/(2p_y)`, whatever the rivals.

    Args:
        name: A key of :data:`INEQUALITIES`.
        classes: Number of classes.
        p_y: The label's probability, at least ``1 / classes``.

    Returns:
        The ratio; the inequality fails for some V where it exceeds 1.

    Raises:
        ValueError: If the name is unknown or ``p_y`` is too small for the label to be on top.
    """
    if name not in INEQUALITIES:
        raise ValueError(f"name must be one of {sorted(INEQUALITIES)}, got {name!r}")
    if not 1 / classes * (1 - 1e-12) <= p_y < 1:
        raise ValueError(f"p_y must be in [1/{classes}, 1), got {p_y}")
    if name == "gradient":
        return (1 - p_y) / (2 * p_y)
    factor = (classes - 1) / (1 if name == "ordered" else 2)
    norms = [softmax_norm(p) for p in _allowed(classes, p_y)]
    return max(norms) / (factor * p_y * (1 - p_y))


def inequality_map(
    classes: Sequence[int],
    probabilities: Sequence[float],
    ratio: Callable[[str, int, float], float] = worst_ratio,
) -> list[dict[str, float | int | str]]:
    """Return every cell of the map.

    Args:
        classes: Numbers of classes.
        probabilities: Values of ``p_y``; those below ``1 / K`` are marked impossible.
        ratio: The worst ratio of an inequality.

    Returns:
        A row per inequality, K and ``p_y``: the worst ratio and ``holds``, ``fails`` or
        ``impossible``.
    """
    rows: list[dict[str, float | int | str]] = []
    for name in INEQUALITIES:
        for K in classes:
            for p_y in probabilities:
                possible = p_y >= 1 / K
                worst = ratio(name, K, p_y) if possible else 0.0
                word = ("fails" if worst > 1 + 1e-9 else "holds") if possible else "impossible"
                rows.append({"inequality": name, "K": K, "p_y": p_y, "ratio": worst, "is": word})
    return rows
