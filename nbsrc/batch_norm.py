"""The norm of batch normalisation at inference."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from nbsrc.bracket import Bracket

__all__ = ["batch_norm_bracket", "batch_norm_norm"]


def batch_norm_norm(
    weight: Tensor | None,
    running_var: Tensor,
    *,
    ord: float | str,
    eps: float = 1e-5,
    positions: int = 1,
) -> Tensor:
    r"""The norm of batch norm at inference, a diagonal map.

    .. math:: \|B\|_1 = \|B\|_2 = \|B\|_\infty = \max_i |\gamma_i| / \sqrt{\sigma_i^2 + \epsilon},
        \quad \|B\|_F^2 = n \sum_i \gamma_i^2 / (\sigma_i^2 + \epsilon)

    with n spatial positions. Liang & Huang (2021), Appendix B.2, print
    :math:`\max_i \gamma_i / \sigma_i`, without the absolute value and without epsilon.

    Args:
        weight: gamma, ``[features]``, or None (``affine=False``: all ones).
        running_var: The running variance, ``[features]``.
        ord: 1, 2, ``math.inf`` or ``"fro"``.
        eps: The number added to the variance.
        positions: Spatial positions per feature; only the Frobenius norm depends on it.

    Returns:
        The norm, a 0-d tensor, differentiable.

    Raises:
        ValueError: If the order is unknown, ``positions`` is below 1, shapes differ, or
            ``running_var + eps`` is not positive or an entry is not finite.

    Example:
        >>> gamma, variance = torch.tensor([-6.0, 1.0]), torch.tensor([4.0, 1.0])
        >>> float(batch_norm_norm(gamma, variance, ord=1, eps=0.0))
        3.0
    """
    if isinstance(ord, bool) or ord not in (1, 2, math.inf, "fro"):
        raise ValueError(f"ord must be 1, 2, inf or 'fro', got {ord!r}")
    if positions < 1:
        raise ValueError(f"positions must be at least 1, got {positions}")
    gamma = torch.ones_like(running_var) if weight is None else weight
    if gamma.shape != running_var.shape:
        raise ValueError(
            f"weight and running_var must have the same shape, got {tuple(gamma.shape)} "
            f"and {tuple(running_var.shape)}"
        )
    scale = gamma.abs() / (running_var + eps).sqrt()
    if not bool(torch.isfinite(scale).all()):
        raise ValueError(
            "weight must be finite and running_var + eps positive and finite, got running_var "
            f"from {running_var.min().item()} with eps {eps}"
        )
    if ord == "fro":
        norm: Tensor = torch.linalg.vector_norm(scale) * math.sqrt(positions)
        return norm
    return scale.max()


def batch_norm_bracket(weight: Tensor | None, running_var: Tensor, eps: float = 1e-5) -> Bracket:
    """Bracket the l2 norm of batch norm, rounding errors included.

    Args:
        weight: gamma, ``[features]``, or None.
        running_var: The running variance, ``[features]``.
        eps: The number added to the variance.

    Returns:
        A bracket a few units of the last float64 digit wide.

    Raises:
        ValueError: As for :func:`batch_norm_norm`.
    """
    gamma = None if weight is None else weight.double()
    value = float(batch_norm_norm(gamma, running_var.double(), ord=2, eps=eps))
    # An addition, a square root and a division round: under two units, doubled to be safe.
    slack = 4 * torch.finfo(torch.float64).eps
    return Bracket(value, value * (1 - slack), value * (1 + slack), 0, True)
