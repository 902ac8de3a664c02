r"""Training a linear softmax classifier under either penalty: when the two runs are the same run.

Guo et al., Section 3.2 and Proposition 3.4. The objective is the mean cross-entropy of the logits
:math:`V^\top x` plus :math:`\lambda\mu^2=\lambda\|V\|_F^2` or
:math:`\lambda S=\lambda\sum_k\|v_k-\bar v\|^2` (:math:`\lambda\nu^2/2` for two classes). Their
gradients differ by :math:`2\lambda\bar v` in every column, and :math:`\sum_kv_k` is conserved by
the cross-entropy and by S. So the two gradient flows coincide if and only if
:math:`\sum_kv_k(0)=0` (or :math:`\lambda=0`): with V_c the columns minus their mean, both runs have
the same V_c, while the mean stays (S) or decays as :math:`e^{-2\lambda t}` (:math:`\mu^2`).
Gradient descent and momentum inherit this, since they are linear in the gradients. Adam rescales
every entry: two opposite columns stay opposite and the runs coincide, but for three or more classes
the sum is not conserved and they part.
"""

from __future__ import annotations

import torch
from torch import Tensor

from nbsrc.perturbation._arguments import check_classes, check_labels

__all__ = [
    "OPTIMISERS",
    "PENALTIES",
    "bayes_start",
    "cross_entropy_gradient",
    "descend",
    "penalty_gradient",
    "weak_features",
]

PENALTIES = ("none", "mu2", "spread")
OPTIMISERS = ("gd", "momentum", "adam")


def descend(
    x: Tensor,
    y: Tensor,
    start: Tensor,
    *,
    penalty: str,
    strength: float,
    rate: float,
    steps: int,
    optimiser: str = "gd",
) -> Tensor:
    """Train a linear softmax classifier on the whole data set and keep every iterate.

    Sums are taken entry by entry in a fixed order, so that for two classes opposite columns get
    exactly opposite gradients.

    Args:
        x: Inputs ``[examples, n]``.
        y: Labels ``[examples]``.
        start: First iterate of V, ``[n, K]``.
        penalty: ``"none"``, ``"mu2"`` or ``"spread"``.
        strength: Lambda, at least 0.
        rate: Step size, above 0.
        steps: Number of steps, at least 0.
        optimiser: ``"gd"``, ``"momentum"`` (0.9) or ``"adam"`` (0.9, 0.999, 1e-8).

    Returns:
        All iterates ``[steps + 1, n, K]``.

    Raises:
        TypeError: If a tensor has the wrong type.
        ValueError: If a name is unknown, a number out of range or a shape wrong.
    """
    start = check_classes("start", start, vector=False)
    if x.ndim != 2 or x.shape[1:] != start.shape[:1] or start.ndim != 2:
        raise ValueError(
            f"x [examples, n] and start [n, K] must have the same n, got shapes {tuple(x.shape)} "
            f"and {tuple(start.shape)}"
        )
    if optimiser not in OPTIMISERS:
        raise ValueError(f"optimiser must be one of {OPTIMISERS}, got {optimiser!r}")
    if not (strength >= 0 and rate > 0 and steps >= 0):
        raise ValueError(
            "strength and steps must be at least 0 and rate above 0, got "
            f"{strength}, {steps} and {rate}"
        )
    V, first, second = start.clone(), torch.zeros_like(start), torch.zeros_like(start)
    path = [V]
    for step in range(1, steps + 1):
        gradient = cross_entropy_gradient(x, y, V) + strength * penalty_gradient(V, penalty)
        if optimiser == "gd":
            move = gradient
        elif optimiser == "momentum":
            first = 0.9 * first + gradient
            move = first
        else:
            first = 0.9 * first + 0.1 * gradient
            second = 0.999 * second + 0.001 * gradient**2
            move = first / (1 - 0.9**step) / ((second / (1 - 0.999**step)).sqrt() + 1e-8)
        V = V - rate * move
        path.append(V)
    return torch.stack(path)


def cross_entropy_gradient(x: Tensor, y: Tensor, V: Tensor) -> Tensor:
    r"""Return :math:`\frac1N\sum_ix_i(p_i-e_{y_i})^\top`, the gradient of the mean loss in V.

    The label's residual is minus the sum of the others, so each row of the result sums to 0 and
    for two classes the columns are opposite to the last bit.

    Args:
        x: Inputs ``[examples, n]``.
        y: Labels ``[examples]``.
        V: ``[n, K]``.

    Returns:
        ``[n, K]``.

    Raises:
        TypeError: If the labels are no integers.
        ValueError: If a label is out of range or the number of labels wrong.
    """
    p = torch.softmax(x @ V, dim=-1)
    labels = check_labels(y, p)
    own = torch.nn.functional.one_hot(labels, p.shape[-1]).bool()
    p = torch.where(own, torch.zeros_like(p), p)
    residual = torch.where(own, -p.sum(-1, keepdim=True), p)
    return (x.unsqueeze(-1) * residual.unsqueeze(1)).sum(0) / len(x)


def penalty_gradient(V: Tensor, penalty: str) -> Tensor:
    r"""Return the gradient of a penalty in V: 0, :math:`2V`, or :math:`2V_c`.

    Args:
        V: ``[n, K]``.
        penalty: ``"none"``, ``"mu2"`` or ``"spread"``.

    Returns:
        ``[n, K]``.

    Raises:
        ValueError: If the penalty is unknown.
    """
    if penalty == "none":
        return torch.zeros_like(V)
    if penalty == "mu2":
        return 2 * V
    if penalty == "spread":
        return 2 * (V - V.mean(-1, keepdim=True))
    raise ValueError(f"penalty must be one of {PENALTIES}, got {penalty!r}")


def weak_features(
    examples: int, n: int, strength: float, *, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    r"""Draw the example of Section 3.2: one feature without and n - 1 with a little information.

    Feature 1 is a fair sign independent of the label, the others are normal with mean
    ``strength`` times the label's sign and variance 1 (after Tsipras et al. 2019).

    Args:
        examples: Number of examples.
        n: Number of features, at least 2.
        strength: Mean of the weak features.
        generator: Source of randomness.

    Returns:
        Inputs ``[examples, n]`` in float64 and labels ``[examples]``: 0 for the sign +, 1 for -.

    Raises:
        ValueError: If ``examples`` is below 1 or ``n`` below 2.
    """
    if examples < 1 or n < 2:
        raise ValueError(f"examples must be at least 1 and n at least 2, got {examples} and {n}")
    signs = 2.0 * torch.randint(2, (examples, 2), generator=generator).double() - 1
    noise = torch.randn(examples, n - 1, generator=generator, dtype=torch.float64)
    x = torch.cat([signs[:, 1:], noise + strength * signs[:, :1]], dim=1)
    return x, (signs[:, 0] < 0).long()


def bayes_start(n: int, a: float) -> Tensor:
    """Return the paper's first iterate, columns ``[0, a, ..., a]`` and its opposite.

    Args:
        n: Number of features, at least 2.
        a: Weight of the weak features.

    Returns:
        ``[n, 2]`` in float64.

    Raises:
        ValueError: If n is below 2.

    Example:
        >>> bayes_start(3, 0.5).T.tolist()
        [[0.0, 0.5, 0.5], [-0.0, -0.5, -0.5]]
    """
    if n < 2:
        raise ValueError(f"n must be at least 2, got {n}")
    column = torch.full((n,), a, dtype=torch.float64)
    column[0] = 0.0
    return torch.stack([column, -column], dim=-1)
