"""Audits of the gradient of a norm with respect to the kernel."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch
from torch import Tensor

from nbsrc.audits.finding import Case, collect
from nbsrc.audits.layers import Layer
from nbsrc.claims import Finding
from nbsrc.conv import conv_norm, tap_classes

__all__ = [
    "audit_gradient_by_differences",
    "audit_gradient_entries",
    "audit_gradient_sparsity",
    "norm_gradient",
]


def norm_gradient(layer: Layer, order: float | str) -> Tensor:
    """Return the gradient of :func:`nbsrc.conv.conv_norm` at a layer's weights.

    Args:
        layer: The layer.
        order: 1, ``math.inf`` or ``"fro"``.

    Returns:
        The gradient, in the shape of the weight.
    """
    weight = layer.weight.clone().requires_grad_()
    norm = conv_norm(weight, layer.shape.input_size, ord=order, **layer.options)
    return torch.autograd.grad(norm, weight)[0]


def audit_gradient_entries(layers: Iterable[Layer], order: float | str) -> Finding:
    """Test that every entry of the gradient is -1, 0 or 1.

    Args:
        layers: Layers to test.
        order: 1, ``math.inf`` or ``"fro"``.

    Returns:
        The finding; the slack is minus the largest distance of an entry from {-1, 0, 1}.
    """

    def cases() -> Iterator[Case]:
        for layer in layers:
            entries = norm_gradient(layer, order)
            error = float((entries - entries.round().clamp(-1, 1)).abs().max())
            yield -error, layer.size, layer.description

    return collect(cases(), tolerance=0, family="random small layers, all weights")


def audit_gradient_sparsity(layers: Iterable[Layer], order: float, *, extra: int = 0) -> Finding:
    """Test how many entries of the gradient are not zero.

    For the linf norm one output channel in full, ``d_in k1 k2`` entries; for the l1 norm the taps
    of one tap class in one input channel, ``d_out |A|`` entries.

    Args:
        layers: Layers under Assumption 1 without zero weights.
        order: 1 or ``math.inf``.
        extra: Added to the expected number; anything but 0 plants an error.

    Returns:
        The finding; the slack is minus the distance from the nearest expected number.
    """

    def cases() -> Iterator[Case]:
        for layer in layers:
            s = layer.shape
            found = int((norm_gradient(layer, order) != 0).sum())
            expected = [s.channels_in * s.kernel_size[0] * s.kernel_size[1]]
            if order == 1:
                sets = tap_classes(s.input_size, s.kernel_size, **layer.paper_options)
                expected = [s.channels_out * len(taps) for taps in sets]
            error = min(abs(found - number - extra) for number in expected)
            yield -float(error), layer.size, layer.description

    return collect(cases(), tolerance=0, family="layers without zero weights, numbers of non-zeros")


def audit_gradient_by_differences(
    layers: Iterable[Layer], order: float | str, *, step: float = 1e-6
) -> Finding:
    """Test the gradient against central differences in one random direction per layer.

    Args:
        layers: Layers with generic weights (no ties: the norm is differentiable there).
        order: 1, ``math.inf`` or ``"fro"``.
        step: Step of the differences.

    Returns:
        The finding, tolerance 1e-6.
    """
    generator = torch.Generator().manual_seed(0)

    def cases() -> Iterator[Case]:
        for layer in layers:
            direction = torch.randn(layer.weight.shape, generator=generator).to(layer.weight)
            ends = [
                conv_norm(
                    layer.weight + sign * step * direction, layer.shape.input_size,
                    ord=order, **layer.options,
                )
                for sign in (1, -1)
            ]  # fmt: skip
            slope = float(ends[0] - ends[1]) / (2 * step)
            error = abs(slope - float((norm_gradient(layer, order) * direction).sum()))
            yield -error, layer.size, layer.description

    return collect(cases(), tolerance=1e-6, family="random small layers, one direction each")
