r"""The same function with layers of any norm: units that nobody listens to.

Every hidden layer gets two more units (channels). The first, w, has a large incoming weight, and
all weights that leave it are 0. The second, z, has incoming weights and bias 0, so it is always 0,
and a large weight may leave it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from nbsrc.constructions._arguments import as_number

__all__ = ["inflate_norms", "leaf_modules"]

Weighted = nn.Linear | nn.Conv2d

# Between two layers: what keeps 0 at 0 and treats every channel alone.
_PLAIN = (
    nn.ReLU, nn.LeakyReLU, nn.ELU, nn.GELU, nn.SiLU, nn.Tanh, nn.Identity, nn.Dropout,
    nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d,
)  # fmt: skip
_NORMALISATIONS = (nn.BatchNorm1d, nn.BatchNorm2d)
_EXTRA = 2


@dataclass
class _Chain:
    """The state of the walk: the layers still to come, and what arrives from the layer before.

    Attributes:
        scale: The large weight.
        remaining: Linear and convolution layers still to come.
        channels: Channels that arrive, without the additional ones; 0 before the first layer.
        shape: ``"flat"``, ``"images"``, or ``"flattened"`` images.
    """

    scale: float
    remaining: int
    channels: int = 0
    shape: str = "flat"


def inflate_norms(network: nn.Sequential, scale: float) -> nn.Sequential:
    r"""A copy of a network with the same function, and layers with norms of at least ``scale``.

    Proposition 1 of Liang & Huang (2021) for every function: no bound from above on the function
    follows from layer norms. Each weight matrix holds one entry T = ``scale`` (each kernel a
    slice of entries T, so that no padding hides them all), and an entry bounds the l1, l2 and
    linf norm from below. The first layer has it from the first input to its w, every other layer
    from z of the layer before, where it multiplies 0.

    Nothing but zeros is added to any sum of the original network. The values are the same bit for
    bit wherever sums of the same terms are; a library may add in another order when a matrix has
    another size, and then the difference is its rounding. ``scale`` times the inputs must not
    overflow. In training mode dropout draws other random numbers. A convolution whose windows
    meet nothing but padding has norm 0 whatever its weights.

    Args:
        network: ``nn.Sequential``, nested or not, of ``Linear``, ``Conv2d`` (groups = 1),
            ``BatchNorm1d/2d``, ``Flatten``, pooling, ReLU or another activation that is 0 at 0,
            ``Dropout`` and ``Identity``; after the last layer with weights, any module.
        scale: The large weight, above 0.

    Returns:
        The network, with two more units or channels in every hidden layer.

    Raises:
        NotImplementedError: If a module is of another kind, or used twice.
        TypeError: If an argument has the wrong type.
        ValueError: If ``scale`` is out of range or overflows in a layer's dtype, or the network
            has fewer than two layers with weights: one layer alone is its function.

    Example:
        >>> network = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
        >>> large = inflate_norms(network, 1e6)
        >>> large[0].weight.shape, large[2].weight.shape
        (torch.Size([5, 2]), torch.Size([1, 5]))
    """
    if not isinstance(network, nn.Sequential):
        raise TypeError(f"network must be an nn.Sequential, got {type(network).__name__}")
    large = as_number("scale", scale, minimum=0, strict=True)
    copy = deepcopy(network)
    leaves = list(leaf_modules(copy))
    count = sum(isinstance(module, Weighted) for _, module in leaves)
    if count < 2:
        raise ValueError(
            f"network must have at least two Linear or Conv2d layers, got {count}: the norm of a "
            "single layer is a property of its function"
        )
    chain = _Chain(large, count)
    for path, module in leaves:
        if isinstance(module, Weighted):
            _grow_layer(module, chain, path)
        elif chain.channels and chain.remaining:
            _check_between(module, chain, path)
            if isinstance(module, _NORMALISATIONS):
                _grow_normalisation(module, chain)
    return copy


def leaf_modules(network: nn.Sequential, prefix: str = "") -> Iterator[tuple[str, nn.Module]]:
    """Yield the modules of a sequential network in the order in which they are applied.

    Args:
        network: The network, nested or not.
        prefix: What precedes the names.

    Yields:
        Name and module.

    Raises:
        NotImplementedError: If a module with parameters is applied twice.
    """
    seen: set[int] = set()
    # _modules and not named_children, which leaves out what comes a second time
    stack = [(f"{prefix}{name}", module) for name, module in network._modules.items()][::-1]
    while stack:
        path, module = stack.pop()
        if isinstance(module, nn.Sequential):
            inner = [(f"{path}.{name}", m) for name, m in module._modules.items()]
            stack.extend(inner[::-1])
            continue
        if id(module) in seen and next(module.parameters(), None) is not None:
            raise NotImplementedError(f"module {path!r} is used twice, which is not supported")
        seen.add(id(module))
        yield path, module


def _check_between(module: nn.Module, chain: _Chain, path: str) -> None:
    """Refuse a module that could carry something from the additional channels to others."""
    if isinstance(module, nn.Flatten):
        if module.start_dim != 1 or module.end_dim not in (-1, 3):
            raise NotImplementedError(
                f"module {path!r} must flatten dimensions 1 to -1, got {module}"
            )
        chain.shape = "flattened" if chain.shape == "images" else chain.shape
    elif not isinstance(module, (*_PLAIN, *_NORMALISATIONS)):
        supported = ", ".join(m.__name__ for m in (*_PLAIN, *_NORMALISATIONS, nn.Flatten))
        raise NotImplementedError(
            f"module {path!r} of type {type(module).__name__} is not supported between layers; "
            f"supported are {supported}"
        )


def _grow_layer(layer: Weighted, chain: _Chain, path: str) -> None:
    """Add the outputs w and z unless the layer is the last, and inputs unless it is the first."""
    first, last = chain.channels == 0, chain.remaining == 1
    run = 1 if first else _run_length(layer, chain, path)
    if isinstance(layer, nn.Conv2d) and layer.groups != 1:
        raise NotImplementedError(f"module {path!r} must have groups = 1, got {layer.groups}")
    large = _at_least(chain.scale, layer.weight.dtype, path)
    outputs, inputs = layer.weight.shape[:2]
    weight = _padded(layer.weight, 0 if last else _EXTRA, 0 if first else _EXTRA * run)
    with torch.no_grad():
        # the additional inputs are those of w, then those of z
        weight[0 if last else outputs, 0 if first else inputs + run] = large
    layer.weight = weight
    if layer.bias is not None and not last:
        layer.bias = _padded(layer.bias, _EXTRA)
    _rename(layer, weight)
    chain.channels, chain.remaining = outputs, chain.remaining - 1
    chain.shape = "images" if isinstance(layer, nn.Conv2d) else "flat"


def _run_length(layer: Weighted, chain: _Chain, path: str) -> int:
    """Return how many inputs of a layer belong to one channel: pixels after a Flatten, else 1."""
    inputs = layer.weight.shape[1]
    is_image = isinstance(layer, nn.Conv2d)
    run, rest = divmod(inputs, chain.channels)
    if is_image != (chain.shape == "images") or rest or (run > 1 and chain.shape != "flattened"):
        raise NotImplementedError(
            f"module {path!r} with {inputs} inputs cannot follow {chain.channels} channels of "
            f"{chain.shape} features: only Flatten between images and Linear is supported"
        )
    return run


def _at_least(scale: float, dtype: torch.dtype, path: str) -> float:
    """Return the smallest number of the dtype that is not below ``scale``."""
    rounded = torch.tensor(scale, dtype=torch.float64).to(dtype)
    if float(rounded) < scale:
        rounded = torch.nextafter(rounded, torch.full_like(rounded, math.inf))
    if not math.isfinite(float(rounded)):
        raise ValueError(f"scale must be finite in {dtype} for module {path!r}, got {scale!r}")
    return float(rounded)


def _rename(layer: Weighted, weight: Tensor) -> None:
    """Make the sizes that a layer prints agree with its weight."""
    if isinstance(layer, nn.Linear):
        layer.out_features, layer.in_features = weight.shape
    else:
        layer.out_channels, layer.in_channels = weight.shape[:2]


def _grow_normalisation(layer: nn.BatchNorm1d | nn.BatchNorm2d, chain: _Chain) -> None:
    """Add two channels that keep 0 at 0: mean 0, variance 1, weight 1, bias 0."""
    extra = _EXTRA * (layer.num_features // chain.channels)  # a run per channel after a Flatten
    layer.num_features += extra
    if layer.affine:
        layer.weight = _padded(layer.weight, extra, value=1.0)
        layer.bias = _padded(layer.bias, extra)
    if layer.running_mean is not None and layer.running_var is not None:
        layer.running_mean = torch.cat([layer.running_mean, layer.running_mean.new_zeros(extra)])
        layer.running_var = torch.cat([layer.running_var, layer.running_var.new_ones(extra)])


def _padded(parameter: Tensor, rows: int, columns: int = 0, value: float = 0.0) -> nn.Parameter:
    """Return a parameter with more rows and columns, which hold ``value``."""
    old = parameter.detach()
    shape = list(old.shape)
    shape[0] += rows
    if old.ndim > 1:
        shape[1] += columns
    new = old.new_full(shape, value)
    new[tuple(slice(size) for size in old.shape)] = old
    return nn.Parameter(new, requires_grad=parameter.requires_grad)
