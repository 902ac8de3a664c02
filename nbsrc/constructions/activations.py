r"""The robust classifiers with other activations: what of Theorem 2 is built, and what is not.

Theorem 2 of Liang & Huang (2021) claims a network for every continuous activation that is not
affine and has one point of non-zero continuous derivative. Built here and in the two modules
beside this one, each for finite sets and with an error bound:

- leaky ReLU of any slope a with \|a\| != 1: exact, two units for one;
- softplus, GELU, SiLU, ELU, whose distance to ReLU is bounded: by scaling;
- sigmoid and tanh: threshold circuits (:mod:`nbsrc.constructions.activations_threshold`);
- the square: iterated polynomials (:mod:`nbsrc.constructions.activations_square`).

Not built, and so not shown here: activations without such a shape, for example sin, other
polynomials, or one that is continuous only but for one point. A thrice differentiable activation
with :math:`\rho''(t)\ne0` gives the square on bounded sets,
:math:`(\rho(t+hx)+\rho(t-hx)-2\rho(t))/(h^2\rho''(t))\to x^2`; one with a kink gives ReLU in the
same way, by zooming in. Both are limits, for which this package states no error bound. \|a\| = 1
is no loss: a = 1 is affine, and a = -1 is the absolute value, :math:`x^+ = (x+|x|)/2`, where x
must be carried as a difference of two absolute values on a bounded set.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from scipy.optimize import brentq
from scipy.special import ndtr
from torch import Tensor, nn

from nbsrc.constructions._arguments import as_number

__all__ = ["ACTIVATIONS", "Replacement", "distance_to_relu", "linear_layers", "replace_relu"]

#: Activations that :func:`replace_relu` accepts.
ACTIVATIONS = (nn.LeakyReLU, nn.Softplus, nn.GELU, nn.SiLU, nn.ELU)


@dataclass(frozen=True, eq=False)
class Replacement:
    """A network with another activation.

    Attributes:
        network: The new network, ``Linear, activation, ..., Linear``.
        error: A bound on the change of every output, in real arithmetic and before the weights are
            rounded. Rounding comes on top, multiplied by the norms of the layers behind; the
            certificate of the finished network includes it.
        sharpness: The factor by which each activation's input is scaled; a power of two.
    """

    network: nn.Sequential
    error: float
    sharpness: tuple[float, ...]


def distance_to_relu(activation: nn.Module) -> float:
    r"""The largest distance :math:`c=\sup_t|\rho(t)-t^+|`, rounded up.

    Softplus ln 2, at 0; GELU :math:`\max_t t(1-\Phi(t))`; SiLU :math:`\max_t t/(1+e^t)`; ELU its
    alpha. Hence :math:`|\rho(kx)/k-x^+|\le c/k` for every x.

    Args:
        activation: One of :data:`ACTIVATIONS`, with ``beta = 1`` for softplus.

    Returns:
        The distance; infinite for a leaky ReLU.

    Raises:
        NotImplementedError: For another activation, or another form of GELU or softplus.

    Example:
        >>> [round(distance_to_relu(f), 5) for f in (nn.Softplus(), nn.GELU(), nn.SiLU())]
        [0.69315, 0.16997, 0.27846]
    """
    up = 1 + 1e-12
    if isinstance(activation, nn.LeakyReLU):
        return math.inf
    if isinstance(activation, nn.Softplus) and activation.beta == 1:
        return math.log(2) * up
    if isinstance(activation, nn.ELU):
        return abs(float(activation.alpha))
    if isinstance(activation, nn.GELU) and activation.approximate == "none":
        density = 1 / math.sqrt(2 * math.pi)
        return _maximum(
            lambda t: t * float(ndtr(-t)),
            lambda t: float(ndtr(-t)) - t * density * math.exp(-t * t / 2),
        )
    if isinstance(activation, nn.SiLU):
        return _maximum(
            lambda t: t / (1 + math.exp(t)), lambda t: 1 + math.exp(t) - t * math.exp(t)
        )
    names = ", ".join(kind.__name__ for kind in ACTIVATIONS)
    raise NotImplementedError(f"no distance to ReLU is known for {activation}; known: {names}")


def _maximum(value: Callable[[float], float], slope: Callable[[float], float]) -> float:
    """Return the maximum of a function whose slope changes sign once in (0.1, 3), rounded up."""
    return value(float(brentq(slope, 0.1, 3.0, xtol=1e-13))) * (1 + 1e-12)


def replace_relu(
    network: nn.Sequential, activation: nn.Module, *, tolerance: float = 0.1
) -> Replacement:
    r"""A network with another activation in place of ReLU, and a bound on what that changes.

    Leaky ReLU with slope a is exact: :math:`x^+ = (L(x) + a\,L(-x))/(1-a^2)`. The others use
    :math:`\rho(k_lx)/k_l` in layer l. As ReLU is 1-Lipschitz, the outputs change by at most

    .. math:: \sum_l \frac{c}{k_l}\prod_{j>l}\|W_j\|_\infty \le \text{tolerance}

    with the row sum norms of the layers behind. The bound holds for every input, and is coarse:
    on the balls of a robust classifier the change is far smaller.

    Args:
        network: ``Linear, ReLU, Linear, ..., Linear``.
        activation: A LeakyReLU (\|slope\| != 1), Softplus (beta 1), GELU, SiLU or ELU.
        tolerance: Upper limit of the error bound; below 0.5 for Definition 2.

    Returns:
        The new network in the dtype of the old one, which is left as it is.

    Raises:
        TypeError: If ``network`` is not an ``nn.Sequential``.
        ValueError: If the layers do not alternate, the slope is 1 or -1, or the dtype cannot hold
            the scaled weights.
        NotImplementedError: If the activation is not supported.

    Example:
        >>> net = nn.Sequential(nn.Linear(1, 1), nn.ReLU(), nn.Linear(1, 1)).double()
        >>> exact = replace_relu(net, nn.LeakyReLU(0.25))
        >>> exact.error, exact.network[0].weight.shape
        (0.0, torch.Size([2, 1]))
        >>> replace_relu(net, nn.GELU(), tolerance=0.01).error <= 0.01
        True
    """
    limit = as_number("tolerance", tolerance, minimum=0, strict=True)
    layers, dtype = _alternating(network)
    if isinstance(activation, nn.LeakyReLU):
        slope = float(activation.negative_slope)
        if not math.isfinite(slope) or abs(slope) == 1:
            raise ValueError(
                f"activation must have a finite slope other than 1 and -1, got {slope}"
            )
        return Replacement(
            linear_layers(_doubled(layers, slope), activation, dtype),
            0.0,
            (1.0,) * (len(layers) - 1),
        )
    distance = distance_to_relu(activation)
    norms = [float(weight.abs().sum(1).max()) for weight, _ in layers]
    hidden = len(layers) - 1
    sharpness, error, behind = [], 0.0, 1.0
    for norm in reversed(norms[1:]):
        behind *= norm * (1 + 1e-9)
        wanted = max(1.0, distance * behind * hidden / limit)
        factor = 2.0 ** math.ceil(math.log2(wanted) + 1e-9)
        error += distance * behind / factor
        sharpness.append(factor)
    sharpness.reverse()
    scaled = _scaled(layers, [1.0, *sharpness], [*sharpness, 1.0], dtype)
    return Replacement(
        linear_layers(scaled, activation, dtype), error * (1 + 1e-9), tuple(sharpness)
    )


def _alternating(network: nn.Sequential) -> tuple[list[tuple[Tensor, Tensor]], torch.dtype]:
    """Return weights and biases in float64 of a network Linear, ReLU, ..., Linear; its dtype."""
    if not isinstance(network, nn.Sequential):
        raise TypeError(f"network must be an nn.Sequential, got {type(network).__name__}")
    kinds = [nn.Linear if index % 2 == 0 else nn.ReLU for index in range(len(network))]
    if len(network) % 2 == 0 or any(type(m) is not k for m, k in zip(network, kinds, strict=True)):
        names = [type(module).__name__ for module in network]
        raise ValueError(f"network must be Linear, ReLU, Linear, ..., Linear, got {names}")
    linear = [module for module in network if isinstance(module, nn.Linear)]
    layers = []
    for module in linear:
        weight = module.weight.detach().double()
        zero = weight.new_zeros(len(weight))
        layers.append((weight, zero if module.bias is None else module.bias.detach().double()))
    return layers, linear[0].weight.dtype


def _doubled(layers: Sequence[tuple[Tensor, Tensor]], slope: float) -> list[tuple[Tensor, Tensor]]:
    """Write every hidden unit x as the two units L(x) and L(-x)."""
    made = []
    scale = 1 / (1 - slope * slope)
    for index, (weight, bias) in enumerate(layers):
        if index:
            weight = torch.cat([scale * weight, slope * scale * weight], dim=1)
        if index < len(layers) - 1:
            weight, bias = torch.cat([weight, -weight]), torch.cat([bias, -bias])
        made.append((weight, bias))
    return made


def _scaled(
    layers: Sequence[tuple[Tensor, Tensor]],
    before: Sequence[float],
    behind: Sequence[float],
    dtype: torch.dtype,
) -> list[tuple[Tensor, Tensor]]:
    """Multiply by powers of two, and refuse what the dtype cannot hold exactly."""
    made = []
    for (weight, bias), inward, outward in zip(layers, before, behind, strict=True):
        pair = weight * (outward / inward), bias * outward
        for new, old, factor in zip(pair, (weight, bias), (outward / inward, outward), strict=True):
            if not bool((new.to(dtype).double() / factor == old).all()):
                raise ValueError(
                    f"tolerance must leave the scaled weights exact in {dtype}; the factor "
                    f"{factor:.3g} takes one out of its range"
                )
        made.append(pair)
    return made


def linear_layers(
    layers: Sequence[tuple[Tensor, Tensor]], activation: nn.Module, dtype: torch.dtype
) -> nn.Sequential:
    """Return linear layers with an activation between them.

    Args:
        layers: Weights and biases.
        activation: Copied between the layers.
        dtype: The dtype of the network.

    Returns:
        ``Linear, activation, ..., Linear``.

    Raises:
        ValueError: If two layers do not fit, or a weight overflows.
    """
    modules: list[nn.Module] = []
    for (weight, _), (following, _) in pairwise(layers):
        if following.shape[1] != len(weight):
            raise ValueError(f"layers do not fit: {tuple(weight.shape)}, {tuple(following.shape)}")
    for weight, bias in layers:
        for value in (weight, bias):
            if not bool(value.to(dtype).isfinite().all()):
                raise ValueError(f"a weight of {float(value.abs().max()):.3g} overflows in {dtype}")
        # made on the meta device: no random numbers are drawn for weights that are replaced
        linear = nn.Linear(weight.shape[1], len(weight), dtype=dtype, device="meta")
        linear.weight = nn.Parameter(weight.detach().to(dtype, copy=True))
        linear.bias = nn.Parameter(bias.detach().to(dtype, copy=True))
        modules += [linear, copy.deepcopy(activation)]
    return nn.Sequential(*modules[:-1])
