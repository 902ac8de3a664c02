r"""Ranges of activation functions on intervals, rounding errors included.

Assumed of the machine: an elementary function (exp, tanh, erf, log1p) of torch is wrong by at most
``8 u (1 + |z|)``, u the unit roundoff of the dtype it is evaluated in; ReLU and clipping are exact.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache

import torch
from scipy.optimize import brentq
from scipy.special import ndtr
from torch import Tensor, nn

__all__ = ["activation_range", "kink_slope", "supported"]

Range = tuple[Tensor, Tensor]
_U64 = torch.finfo(torch.float64).eps / 2
_MONOTONE = (nn.Tanh, nn.Sigmoid, nn.Softplus, nn.ELU)
_EXACT = (nn.ReLU, nn.ReLU6, nn.Hardtanh)


def kink_slope(module: nn.Module) -> float | None:
    """Return the slope left of 0 of an activation that is the identity right of 0.

    Args:
        module: An activation.

    Returns:
        0 for ReLU, the slope of a leaky ReLU, None for every other activation.

    Example:
        >>> kink_slope(nn.LeakyReLU(0.5)), kink_slope(nn.Tanh())
        (0.5, None)
    """
    if type(module) is nn.ReLU:
        return 0.0
    return float(module.negative_slope) if type(module) is nn.LeakyReLU else None


def supported(module: nn.Module) -> bool:
    """Whether :func:`activation_range` knows the activation.

    Args:
        module: Any module.

    Returns:
        True for ReLU, LeakyReLU, Hardtanh, ReLU6, ELU, Softplus, Tanh, Sigmoid, exact GELU, SiLU
        and every module with a method ``interval(lower, upper)``.
    """
    if isinstance(module, nn.GELU) and module.approximate != "none":
        return False
    # Not isinstance: a subclass may compute something else.
    known = (*_MONOTONE, *_EXACT, nn.LeakyReLU, nn.SiLU, nn.GELU)
    return type(module) in known or hasattr(module, "interval")


def activation_range(module: nn.Module, lower: Tensor, upper: Tensor, roundoff: float) -> Range:
    """Enclose an activation on intervals: its real values, and what torch computes for them.

    Args:
        module: A supported activation.
        lower: Lower ends, float64.
        upper: Upper ends, same shape.
        roundoff: Unit roundoff of the dtype in which the network is evaluated.

    Returns:
        Lower and upper ends of the values.

    Raises:
        NotImplementedError: If the activation is not supported.

    Example:
        >>> one = torch.ones(1, dtype=torch.float64)
        >>> [float(end) for end in activation_range(nn.ReLU(), -one, one, 0.0)]
        [0.0, 1.0]
    """
    if not supported(module):
        raise NotImplementedError(f"no range is known for the activation {module}")
    if isinstance(module, _EXACT):
        return _values(module, lower), _values(module, upper)
    low, high = _real_range(module, lower, upper)
    scale = 1.0 + abs(float(getattr(module, "alpha", 0.0)))
    noise = 8 * (roundoff + _U64) * scale * (1 + torch.maximum(lower.abs(), upper.abs()))
    if hasattr(module, "interval"):
        noise = 8 * (roundoff + _U64) * torch.maximum(low.abs(), high.abs())
    if isinstance(module, nn.LeakyReLU):
        noise = 4 * (roundoff + _U64) * torch.maximum(low.abs(), high.abs())
        noise = noise * ((lower < 0) & (module.negative_slope != 0))  # exact right of 0
    return low - noise, high + noise


def _values(function: Callable[[Tensor], Tensor], z: Tensor) -> Tensor:
    """Apply an activation out of place, whatever its ``inplace`` says."""
    return function(z.clone())


def _real_range(module: nn.Module, lower: Tensor, upper: Tensor) -> Range:
    """Return the range of the real function, up to the noise of elementary functions."""
    own: Callable[[Tensor, Tensor], Range] | None = getattr(module, "interval", None)
    if own is not None:
        return own(lower, upper)
    if isinstance(module, nn.Softplus):
        # torch returns z itself beyond the threshold: below the real value by at most this gap.
        gap = math.log1p(math.exp(-module.threshold)) / module.beta
        jump = gap * (upper * module.beta >= module.threshold * (1 - 1e-6))
        plain = nn.Softplus(module.beta, 700.0)
        return _values(plain, lower) - jump, _values(plain, upper)
    ends = _values(module, lower), _values(module, upper)
    low, high = torch.minimum(*ends), torch.maximum(*ends)
    if isinstance(module, nn.LeakyReLU) and module.negative_slope < 0:
        low = low.where((lower > 0) | (upper < 0), 0.0)
    if isinstance(module, nn.GELU | nn.SiLU):
        where, value = _minimum(isinstance(module, nn.GELU))
        # A window around the minimiser, which is known to 1e-9, not exactly.
        inside = (lower <= where + 1e-6) & (upper >= where - 1e-6)
        low = low.where(~inside, torch.minimum(low, torch.full_like(low, value)))
    return low, high


@cache
def _minimum(gelu: bool) -> tuple[float, float]:
    """Return the minimiser and the minimum of GELU or SiLU, the only points where f' = 0."""
    if gelu:
        density = lambda z: math.exp(-z * z / 2) / math.sqrt(2 * math.pi)  # noqa: E731
        where = float(brentq(lambda z: ndtr(z) + z * density(z), -1.0, -0.5, xtol=1e-12))
        return where, where * float(ndtr(where))
    gate = lambda z: 1 / (1 + math.exp(-z))  # noqa: E731
    where = float(brentq(lambda z: 1 + z * (1 - gate(z)), -2.0, -1.0, xtol=1e-12))
    return where, where * gate(where)
