"""A network without branches as explicit matrices: affine map, rectifier, affine map, ..."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nbsrc.linear_region.operations import Affine, MaxPool, Rectifier
from nbsrc.linear_region.program import Step
from nbsrc.linear_region.reading import read_network

__all__ = ["Array", "Chain", "Prefix", "first_inputs", "read_chain"]

Array: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True)
class Prefix:
    """The first layers of a chain with gates held fixed: ``z -> weight z + bias``.

    Attributes:
        weight: ``[rows, inputs]``.
        bias: ``[rows]``.
        magnitude: The same product with the absolute values of all matrices: what rounding errors
            of ``weight`` are relative to.
        bias_magnitude: The same for ``bias``.
        fan_in: The sum of the widths that were summed over.
    """

    weight: Array
    bias: Array
    magnitude: Array
    bias_magnitude: Array
    fan_in: int

    @property
    def error(self) -> Array:
        """An upper bound of the rounding error of each entry of ``weight``."""
        return self._unit * self.magnitude

    @property
    def bias_error(self) -> Array:
        """An upper bound of the rounding error of each entry of ``bias``."""
        return self._unit * self.bias_magnitude

    @property
    def _unit(self) -> float:
        return float(4 * (self.fan_in + 4) * np.finfo(float).eps)


@dataclass(frozen=True)
class Chain:
    """Affine maps with a rectifier after each but the last.

    Attributes:
        weights: Matrices, ``weights[k]`` is ``[width k+1, width k]``.
        biases: Vectors ``[width k+1]``.
        slopes: The rectifiers' slopes at values that are not positive; one less than matrices.
        names: The rectifiers' names in the network.
    """

    weights: tuple[Array, ...]
    biases: tuple[Array, ...]
    slopes: tuple[float, ...]
    names: tuple[str, ...]

    @property
    def inputs(self) -> int:
        """The number of input coordinates."""
        return int(self.weights[0].shape[1])

    def start(self) -> Prefix:
        """The first affine map.

        Returns:
            The prefix before the first rectifier.
        """
        weight, bias = self.weights[0], self.biases[0]
        return Prefix(weight, bias, np.abs(weight), np.abs(bias), 1)

    def extend(self, before: Prefix, layer: int, gates: NDArray[np.bool_]) -> Prefix:
        """Apply a rectifier with fixed gates and the next affine map.

        Args:
            before: The prefix that ends before rectifier ``layer``.
            layer: Number of the rectifier, from 0.
            gates: ``[width]``, True where it passes its value on unchanged.

        Returns:
            The prefix that ends before the next rectifier, or the network's output.
        """
        factors = np.where(gates, 1.0, self.slopes[layer])
        W = self.weights[layer + 1] * factors
        return Prefix(
            W @ before.weight,
            W @ before.bias + self.biases[layer + 1],
            np.abs(W) @ before.magnitude,
            np.abs(W) @ before.bias_magnitude + np.abs(self.biases[layer + 1]),
            before.fan_in + W.shape[1] + 1,
        )


def read_chain(net: nn.Module, input_shape: Sequence[int] | None = None) -> Chain:
    """Write a network without branches as matrices in float64.

    Args:
        net: A network of affine layers, ReLU and leaky ReLU, such as ``nn.Sequential``. It is not
            changed.
        input_shape: Shape of one input; not needed if the first layer with weights is linear.

    Returns:
        The chain. Consecutive affine layers are multiplied.

    Raises:
        NotImplementedError: If the network has an unsupported layer, max-pooling or branches.
        TypeError: If ``net`` is no module.
        ValueError: If the input shape is needed and not given, or a weight is NaN or infinite.
    """
    read_network(net)  # complains about what it is given before it is copied
    program = read_network(copy.deepcopy(net).double().cpu())
    for number, step in enumerate(program.steps):
        if step.inputs != (number,) or isinstance(step.operation, MaxPool):
            raise NotImplementedError(
                f"layer {step.name!r}: only networks without branches and without max-pooling"
            )
    shape = (first_inputs(net),) if input_shape is None else tuple(input_shape)
    segments: list[list[Step]] = [[]]
    for step in program.steps:
        if isinstance(step.operation, Rectifier):
            segments.append([])
        else:
            segments[-1].append(step)
    maps = []
    for segment in segments:
        weight, bias, shape = _segment_map(segment, shape)
        if not (np.isfinite(weight).all() and np.isfinite(bias).all()):
            raise ValueError("weights must be finite, got NaN or infinite entries")
        maps.append((weight, bias))
    return Chain(
        tuple(weight for weight, _ in maps),
        tuple(bias for _, bias in maps),
        tuple(s.operation.slope for s in program.switches if isinstance(s.operation, Rectifier)),
        tuple(step.name for step in program.switches),
    )


def first_inputs(net: nn.Module) -> int:
    """The number of inputs of a network that starts with a linear layer.

    Args:
        net: The network.

    Returns:
        The number of inputs of its first layer with weights.

    Raises:
        ValueError: If the first layer with weights is not linear.
    """
    own = (m for m in net.modules() if next(m.parameters(recurse=False), None) is not None)
    layer = next(own, None)
    if not isinstance(layer, nn.Linear):
        raise ValueError("input_shape must be given: the first layer with weights is not Linear")
    return layer.in_features


def _segment_map(
    segment: list[Step], shape: tuple[int, ...]
) -> tuple[Array, Array, tuple[int, ...]]:
    """Return matrix, constant and output shape of consecutive affine layers."""
    size = math.prod(shape)
    zero = torch.zeros(1, *shape, dtype=torch.float64)
    basis = torch.eye(size, dtype=torch.float64).reshape(size, *shape)

    def run(value: Tensor, constant: bool) -> Tensor:
        for step in segment:
            assert isinstance(step.operation, Affine)
            value = step.operation.full(value) if constant else step.operation.linear(value)
        return value

    with torch.no_grad():
        bias = run(zero, True)
        weight = run(basis, False).flatten(1).T
    return weight.contiguous().numpy(), bias.flatten().numpy(), tuple(bias.shape[1:])
