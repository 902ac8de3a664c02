r"""Two classes with the probability tied to :math:`\nu`: appendix G of Guo et al.

Without biases :math:`z_y-z_{other}=\nu\gamma` with :math:`\nu=\|v_+-v_-\|_2` and the signed
distance :math:`\gamma` of the input from the hyperplane, positive for correct points (the paper
takes the absolute value). With :math:`t=\nu\gamma`, both penalties are functions of
:math:`\nu` at fixed :math:`\gamma`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import torch
from scipy.optimize import brentq
from scipy.special import lambertw
from torch import Tensor

from nbsrc.perturbation._arguments import Real, as_real
from nbsrc.perturbation.taylor import taylor_norm_from_margin

__all__ = [
    "CriticalProducts",
    "critical_products",
    "curvature_penalty",
    "curvature_slope",
    "gradient_penalty",
    "gradient_slope",
    "printed_slopes",
    "taylor_over_exact",
]


@dataclass(frozen=True)
class CriticalProducts:
    r"""Where the penalties stop growing with :math:`\nu`, as values of :math:`\nu\gamma`.

    Attributes:
        gradient: Root of :math:`(t-1)e^t=1`, which is :math:`1+W(1/e)`.
        curvature: Root of :math:`t\tanh(t/2)=2`.
    """

    gradient: float
    curvature: float


@lru_cache(maxsize=1)
def critical_products() -> CriticalProducts:
    r"""Return the zeros of equations (44) and (45) to full precision.

    The paper prints 1.28 and 2.40. A penalty below its critical product falls when :math:`\nu`
    falls; above it, it falls when :math:`\nu` grows.

    Returns:
        The two products.

    Example:
        >>> found = critical_products()
        >>> round(found.gradient, 10), round(found.curvature, 10)
        (1.2784645428, 2.3993572805)
    """

    def equation(t: float) -> float:
        return float(t * torch.tanh(torch.tensor(t / 2, dtype=torch.float64))) - 2

    root = brentq(equation, 1.0, 4.0, xtol=1e-15, rtol=1e-15)
    return CriticalProducts(1 + float(lambertw(torch.e**-1).real), float(root))


def gradient_penalty(nu: Real, gamma: Real) -> Tensor:
    r"""Return :math:`\|\nabla\|_2^2=\nu^2\sigma(-\nu\gamma)^2`.

    Args:
        nu: At least 0.
        gamma: Signed distance, negative for misclassified points.

    Returns:
        The penalty.

    Raises:
        TypeError: If an argument is no real number or floating-point tensor.
        ValueError: If ``nu`` is negative.
    """
    width = as_real("nu", nu, minimum=0.0)
    return (width * torch.sigmoid(-width * as_real("gamma", gamma))) ** 2


def curvature_penalty(nu: Real, gamma: Real) -> Tensor:
    r"""Return :math:`\|H\|_2=\nu^2\sigma(\nu\gamma)\sigma(-\nu\gamma)`, even in :math:`\gamma`.

    Args:
        nu: At least 0.
        gamma: Signed distance.

    Returns:
        The penalty.

    Raises:
        TypeError: If an argument is no real number or floating-point tensor.
        ValueError: If ``nu`` is negative.
    """
    width = as_real("nu", nu, minimum=0.0)
    t = width * as_real("gamma", gamma)
    return width**2 * torch.sigmoid(t) * torch.sigmoid(-t)


def gradient_slope(nu: Real, gamma: Real) -> Tensor:
    r"""Return :math:`\partial_\nu\|\nabla\|_2^2=2\nu\,\sigma(-t)^2(1-t\,\sigma(t))`.

    Equal to equation (44) for :math:`\gamma\ge0`, without overflow; for misclassified points
    (:math:`\gamma<0`) it is positive throughout.

    Args:
        nu: At least 0.
        gamma: Signed distance.

    Returns:
        The derivative at fixed ``gamma``.

    Raises:
        TypeError: If an argument is no real number or floating-point tensor.
        ValueError: If ``nu`` is negative.
    """
    width = as_real("nu", nu, minimum=0.0)
    t = width * as_real("gamma", gamma)
    return 2 * width * torch.sigmoid(-t) ** 2 * (1 - t * torch.sigmoid(t))


def curvature_slope(nu: Real, gamma: Real) -> Tensor:
    r"""Return :math:`\partial_\nu\|H\|_2=\nu\,\sigma(t)\sigma(-t)(2-t\tanh(t/2))`.

    Equal to equation (45), without overflow.

    Args:
        nu: At least 0.
        gamma: Signed distance.

    Returns:
        The derivative at fixed ``gamma``.

    Raises:
        TypeError: If an argument is no real number or floating-point tensor.
        ValueError: If ``nu`` is negative.
    """
    width = as_real("nu", nu, minimum=0.0)
    t = width * as_real("gamma", gamma)
    return width * torch.sigmoid(t) * torch.sigmoid(-t) * (2 - t * torch.tanh(t / 2))


def printed_slopes(nu: Real, gamma: Real) -> tuple[Tensor, Tensor]:
    r"""Equations (44) and (45) letter by letter.

    .. math::
        \frac{2\nu(1-(\gamma\nu-1)e^{\gamma\nu})}{(1+e^{\gamma\nu})^3}, \qquad
        \frac{\nu(2+\gamma\nu-(\gamma\nu-2)e^{\gamma\nu})e^{\gamma\nu}}{(1+e^{\gamma\nu})^3}

    Args:
        nu: At least 0.
        gamma: At least 0 in the paper.

    Returns:
        The two values; they overflow for products above about 200.

    Raises:
        TypeError: If an argument is no real number or floating-point tensor.
        ValueError: If ``nu`` is negative.
    """
    width = as_real("nu", nu, minimum=0.0)
    t = width * as_real("gamma", gamma)
    e = torch.exp(t)
    below = (1 + e) ** 3
    return 2 * width * (1 - (t - 1) * e) / below, width * (2 + t - (t - 2) * e) * e / below


def taylor_over_exact(t: Real) -> Tensor:
    r"""Return :math:`\|r^*\|/\gamma=s^*(t)/t`, the Taylor distance over the exact one.

    It is :math:`1+t^3/32-t^5/144+\ldots` near 0 (see
    :func:`nbsrc.perturbation.symbolic.ratio_series`), above 1 for every t > 0, and grows
    like :math:`\sqrt{2\log2}\,e^{t/2}/t`.

    Args:
        t: The margin :math:`\nu\gamma`, at least 0.

    Returns:
        The ratio, 1 at t = 0.

    Raises:
        TypeError: If t is no real number or floating-point tensor.
        ValueError: If t is negative.
    """
    margin = as_real("t", t, minimum=0.0)
    ratio = taylor_norm_from_margin(margin, 1.0) / margin
    return torch.where(margin > 0, ratio, torch.ones_like(margin))
