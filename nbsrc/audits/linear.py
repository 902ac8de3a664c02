"""Audits of the matrix as the layer's linear map."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from nbsrc.audits.finding import Case, collect
from nbsrc.audits.layers import Layer
from nbsrc.claims import Finding

__all__ = ["additivity_error", "audit_affine", "audit_drawn_matrix", "audit_matrix_is_the_layer"]


def audit_matrix_is_the_layer(layers: Iterable[Layer], seed: int, *, order: str = "C") -> Finding:
    """Test ``vec(conv(x)) = M vec(x)`` on random images.

    Args:
        layers: Layers to test.
        seed: Seed of the images.
        order: ``"C"`` vectorises channel by channel, row by row; ``"F"`` plants an error by
            exchanging rows and columns.

    Returns:
        The finding, tolerance 1e-12.
    """
    generator = torch.Generator().manual_seed(seed)

    def cases() -> Iterator[Case]:
        for layer in layers:
            s = layer.shape
            image = torch.randn(
                1, s.channels_in, *s.input_size, generator=generator, dtype=torch.float64
            )
            out = functional.conv2d(
                image, layer.weight, None, s.stride, s.padding, s.dilation, s.groups
            )
            vector = image if order == "C" else image.mT
            error = (layer.matrix @ vector.flatten() - out.flatten()).abs().max()
            yield -float(error), layer.size, layer.description

    return collect(cases(), tolerance=1e-12, family="random layers and images")


def audit_drawn_matrix(
    rows: Sequence[Mapping[str, Any]],
    size: tuple[int, int],
    kernel: tuple[int, int],
    seed: int,
    *,
    order: str = "C",
    channels: int = 1,
) -> Finding:
    """Test a drawn matrix (which tap stands where) against torch's layer on random kernels.

    Args:
        rows: The figure's data: ``stride``, ``padding``, ``row``, ``column`` and ``tap`` from 1.
        size: Input size.
        kernel: Kernel size.
        seed: Seed of kernels and images.
        channels: Number of input channels.
        order: ``"F"`` plants an error by numbering the taps column by column.

    Returns:
        The finding, tolerance 1e-12, one case per panel and image.
    """
    generator = torch.Generator().manual_seed(seed)

    def cases() -> Iterator[Case]:
        for stride, padding in sorted({(r["stride"], r["padding"]) for r in rows}):
            panel = [r for r in rows if (r["stride"], r["padding"]) == (stride, padding)]
            for _ in range(10):
                weight = torch.randn(1, channels, *kernel, generator=generator, dtype=torch.float64)
                image = torch.randn(1, channels, *size, generator=generator, dtype=torch.float64)
                out = functional.conv2d(image, weight, stride=stride, padding=padding).flatten()
                drawn = torch.zeros(len(out), image.numel(), dtype=torch.float64)
                taps = (weight if order == "C" else weight.mT).flatten()
                for r in panel:
                    drawn[r["row"], r["column"]] = taps[r["tap"] - 1]
                error = float((drawn @ image.flatten() - out).abs().max())
                yield -error, (stride, padding), {"stride": stride, "padding": padding}

    return collect(
        cases(), tolerance=1e-12, family="the figure's panels, random kernels and images"
    )


def audit_affine(layers: Iterable[Layer], seed: int, *, bias: bool) -> Finding:
    """Test homogeneity, additivity and ``|f(x)-f(y)| = |M(x-y)|`` of a layer.

    Args:
        layers: Layers to test.
        seed: Seed of images and biases.
        bias: Whether the layer has a bias: then only the third property can hold.

    Returns:
        The finding, tolerance 1e-10; with a bias the first two properties are left out.
    """
    generator = torch.Generator().manual_seed(seed)

    def randn(*size: int) -> Tensor:
        return torch.randn(*size, generator=generator, dtype=torch.float64)

    def cases() -> Iterator[Case]:
        for layer in layers:
            s = layer.shape
            shift = randn(s.channels_out) if bias else None

            def call(x: Tensor, layer: Layer = layer, shift: Tensor | None = shift) -> Tensor:
                t = layer.shape
                return functional.conv2d(
                    x, layer.weight, shift, t.stride, t.padding, t.dilation, t.groups
                )

            x, y = randn(1, s.channels_in, *s.input_size), randn(1, s.channels_in, *s.input_size)
            difference = (layer.matrix @ (x - y).flatten()).reshape(call(x).shape)
            error = float((call(x) - call(y) - difference).abs().max())
            if not bias:
                error = max(error, additivity_error(call, x, y))
            yield -error, layer.size, layer.description

    return collect(cases(), tolerance=1e-10, family="random layers and pairs of images")


def additivity_error(call: Callable[[Tensor], Tensor], x: Tensor, y: Tensor) -> float:
    """Return the largest error of ``f(3x) = 3 f(x)`` and ``f(x+y) = f(x) + f(y)``.

    Args:
        call: The map f.
        x: An input.
        y: Another input.

    Returns:
        The error in the largest entry.
    """
    with torch.no_grad():
        scaled = (call(3 * x) - 3 * call(x)).abs().max()
        summed = (call(x + y) - call(x) - call(y)).abs().max()
    return float(torch.maximum(scaled, summed))
