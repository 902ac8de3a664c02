r"""A plain network as a list of steps with float64 weights.

Rounding model of the certificates: IEEE arithmetic, sums in any order, fused or not, so that a
computed affine map is wrong by at most ``g (|W| |h| + |b|)`` with ``g = k u / (1 - k u)`` and k the
number of non-zero terms (Higham, Accuracy and Stability of Numerical Algorithms, section 3.1),
plus k times the smallest normal number for underflow.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor, nn

from nbsrc.constructions.certify_ranges import kink_slope, supported

__all__ = ["Affine", "Nonlinear", "Step", "first_step", "network_steps"]

_U64 = torch.finfo(torch.float64).eps / 2


@dataclass(frozen=True, eq=False)
class Affine:
    """A linear layer.

    Attributes:
        weight: ``[width, inputs]``, float64, the stored numbers exactly.
        magnitude: Its absolute values.
        bias: ``[width]``, zeros where the layer has none.
        growth: The factor g of the rounding model in the network's dtype.
        own_growth: The factor g of float64, in which the bounds are computed.
        back_growth: The factor g of a product of the weight's columns in float64.
        underflow: ``[width]``, what underflow can add to an output.
    """

    weight: Tensor
    magnitude: Tensor
    bias: Tensor
    growth: float
    own_growth: float
    back_growth: float
    underflow: Tensor

    @property
    def pad(self) -> float:
        """A factor that covers the rounding of the bounds' own sums of non-negative terms."""
        return 1 + 4 * self.own_growth + 16 * _U64

    def noise(self, size: Tensor) -> Tensor:
        """Bound the error of one evaluation in the network's dtype.

        Args:
            size: ``|W| |h| + |b|``.

        Returns:
            The bound, of the same shape.
        """
        return self.growth * self.pad * size + self.underflow


@dataclass(frozen=True, eq=False)
class Nonlinear:
    """An activation.

    Attributes:
        module: The torch module.
        roundoff: Unit roundoff of the network's dtype.
        slope: The slope left of 0 if the activation is the identity right of 0, else None.
    """

    module: nn.Module
    roundoff: float
    slope: float | None


Step: TypeAlias = Affine | Nonlinear


def first_step(steps: Sequence[Step]) -> Affine:
    """Return the first step of a network, which is affine.

    Args:
        steps: The steps of :func:`network_steps`.

    Returns:
        The first linear layer.

    Raises:
        TypeError: If the first step is an activation.
    """
    first = steps[0]
    if not isinstance(first, Affine):
        raise TypeError("the first step must be affine")
    return first


def network_steps(network: nn.Module) -> tuple[list[Step], torch.dtype]:
    """Read the steps of a plain network.

    Args:
        network: ``nn.Sequential`` (nested or not) of Linear, activations, Identity and Flatten.

    Returns:
        The steps, and the dtype of the weights.

    Raises:
        TypeError: If it is not an ``nn.Sequential``, or its weights are of mixed dtypes.
        ValueError: If a weight is NaN or infinite, widths disagree, or there is no linear layer.
        NotImplementedError: If a module is not supported.
    """
    if not isinstance(network, nn.Sequential):
        raise TypeError(f"network must be an nn.Sequential, got {type(network).__name__}")
    dtypes = {p.dtype for p in network.parameters() if p.is_floating_point()}
    if len(dtypes) != 1 or not dtypes <= {torch.float32, torch.float64}:
        names = sorted(str(d) for d in dtypes)
        raise TypeError(f"network must have float32 or float64 weights of one dtype, got {names}")
    (dtype,) = dtypes
    modules = list(_leaves(network))
    steps: list[Step] = []
    width: int | None = None
    for position, module in enumerate(modules):
        if isinstance(module, nn.Identity):
            continue
        if isinstance(module, nn.Flatten):
            _check_flatten(module, width, is_last=position == len(modules) - 1)
        elif type(module) is nn.Linear:  # a subclass may compute something else
            if width is not None and module.in_features != width:
                raise ValueError(f"a layer of {module.in_features} inputs follows {width} units")
            width = module.out_features
            steps.append(_affine(module, dtype))
        elif supported(module):
            steps.append(Nonlinear(module, torch.finfo(dtype).eps / 2, kink_slope(module)))
        else:
            raise NotImplementedError(
                f"module {module} is not supported: only Linear, Flatten, Identity and the "
                "activations ReLU, LeakyReLU, Hardtanh, ELU, Softplus, Tanh, Sigmoid, GELU, SiLU"
            )
    if width is None or not isinstance(steps[0], Affine):
        raise NotImplementedError("network must begin with a linear layer")
    return steps, dtype


def _leaves(network: nn.Sequential) -> Iterator[nn.Module]:
    """Yield the modules in order, one that is used twice twice (``modules()`` would not)."""
    for module in network:
        if isinstance(module, nn.Sequential):
            yield from _leaves(module)
        else:
            yield module


def _check_flatten(module: nn.Flatten, width: int | None, is_last: bool) -> None:
    """Refuse a Flatten that would mix the points of a batch."""
    if module.start_dim in {0, -2} and not (is_last and width == 1):
        raise NotImplementedError(f"{module} mixes points, unless it ends a network of one output")


def _affine(module: nn.Linear, dtype: torch.dtype) -> Affine:
    """Return a linear layer as a step."""
    weight = module.weight.detach().to("cpu", torch.float64)
    given = module.bias
    bias = weight.new_zeros(len(weight)) if given is None else given.detach().to(weight)
    if not (bool(weight.isfinite().all()) and bool(bias.isfinite().all())):
        raise ValueError(f"network must have finite weights, got NaN or inf in {module}")
    used = weight != 0
    terms, back = int(used.sum(1).max()) + 2, int(used.sum(0).max()) + 2
    info = torch.finfo(dtype)
    if terms * info.eps > 0.5:
        raise NotImplementedError(f"{terms} terms in one sum are too many for {dtype}")
    if back * _U64 > 0.25:
        raise NotImplementedError(f"a unit read by {back} units is too much for float64")
    growth, own, backward = (
        k * u / (1 - k * u) for k, u in ((terms, info.eps / 2), (terms, _U64), (back, _U64))
    )
    underflow = terms * info.tiny * used.any(1)
    return Affine(weight, weight.abs(), bias, growth, own, backward, underflow)
