r"""The four penalties on input derivatives, in closed form.

Guo et al., Section 2.2 and equation (11): Jacobian, cross-Lipschitz, input-gradient and curvature
regularisation, for any number of classes. Differentiable.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from nbsrc.perturbation._arguments import (
    Labels,
    Real,
    as_probability,
    check_classes,
    check_labels,
    check_probabilities,
    check_shapes,
)
from nbsrc.perturbation.spectrum import loss_gradient, loss_hessian_spectrum

__all__ = [
    "Penalties",
    "binary_penalties",
    "cross_lipschitz_penalty",
    "jacobian_penalty",
    "penalty_values",
]


@dataclass(frozen=True)
class Penalties:
    r"""The penalised quantities, without their strength :math:`\lambda`, each ``[...]``.

    Attributes:
        jacobian: :math:`\mu^2=\|V\|_F^2`.
        cross_lipschitz: :math:`S=\sum_k\|v_k-\bar v\|_2^2=\frac1K\sum_{i<j}\|v_i-v_j\|_2^2`, which
            is :math:`\nu^2/2` for two classes: the scale on which it compares with
            :math:`\mu^2` in equation (13). The K-class functional of
            :func:`nbsrc.perturbation.bounds.cross_lipschitz_squared` is 2S/K or S/K.
        input_gradient: :math:`\|\nabla\|_2^2`.
        curvature: :math:`\|H\|_2`.
    """

    jacobian: Tensor
    cross_lipschitz: Tensor
    input_gradient: Tensor
    curvature: Tensor


def penalty_values(p: Tensor, V: Tensor, y: Labels) -> Penalties:
    r"""Return all four penalties of an affine piece.

    Args:
        p: Class probabilities ``[..., K]``.
        V: Local linear map ``[..., n, K]``.
        y: Labels ``[...]``, or one integer for all.

    Returns:
        The penalties.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If a shape or label is wrong, or p is no distribution.

    Example:
        >>> import torch
        >>> p = torch.tensor([0.75, 0.25], dtype=torch.float64)
        >>> V = torch.tensor([[1.0, -1.0]], dtype=torch.float64)
        >>> [round(float(value), 6) for value in vars(penalty_values(p, V, 0)).values()]
        [2.0, 2.0, 0.25, 0.75]
    """
    p = check_probabilities(p)
    V = check_shapes("p", p, V)
    labels = check_labels(y, p)
    return Penalties(
        jacobian=jacobian_penalty(V),
        cross_lipschitz=cross_lipschitz_penalty(V),
        input_gradient=(loss_gradient(p, V, labels) ** 2).sum(-1),
        curvature=loss_hessian_spectrum(p, V).spectral_norm,
    )


def binary_penalties(p_y: Real, V: Tensor) -> Penalties:
    r"""Equation (11) as printed, for two classes.

    .. math:: \mu^2, \quad \nu^2/2, \quad (1-p_y)^2\nu^2, \quad p_y(1-p_y)\nu^2,
        \qquad \nu=\|v_+-v_-\|_2

    Args:
        p_y: The label's probability, in (0, 1), ``[...]``.
        V: Local linear map ``[..., n, 2]``.

    Returns:
        The penalties.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If ``p_y`` is outside (0, 1), or K is not 2.

    Example:
        >>> import torch
        >>> V = torch.tensor([[1.0, -1.0]], dtype=torch.float64)
        >>> [round(float(value), 6) for value in vars(binary_penalties(0.75, V)).values()]
        [2.0, 2.0, 0.25, 0.75]
    """
    p = as_probability("p_y", p_y)
    V = check_classes("V", V, vector=False)
    if V.shape[-1] != 2:
        raise ValueError(f"V must have K = 2 columns, got shape {tuple(V.shape)}")
    nu2 = ((V[..., 0] - V[..., 1]) ** 2).sum(-1)
    return Penalties((V**2).sum((-2, -1)), nu2 / 2, (1 - p) ** 2 * nu2, p * (1 - p) * nu2)


def jacobian_penalty(V: Tensor) -> Tensor:
    r"""Return :math:`\mu^2=\|V\|_F^2`.

    Args:
        V: Local linear map ``[..., n, K]``.

    Returns:
        ``[...]``.

    Raises:
        TypeError: If V is no floating-point tensor.
        ValueError: If its shape is wrong, K is 1, or an entry is not finite.
    """
    return (check_classes("V", V, vector=False) ** 2).sum((-2, -1))


def cross_lipschitz_penalty(V: Tensor) -> Tensor:
    r"""Return :math:`S=\sum_k\|v_k-\bar v\|_2^2=\frac1K\sum_{i<j}\|v_i-v_j\|_2^2`.

    Args:
        V: Local linear map ``[..., n, K]``.

    Returns:
        ``[...]``.

    Raises:
        TypeError: If V is no floating-point tensor.
        ValueError: If its shape is wrong, K is 1, or an entry is not finite.
    """
    V = check_classes("V", V, vector=False)
    return ((V - V.mean(-1, keepdim=True)) ** 2).sum((-2, -1))
