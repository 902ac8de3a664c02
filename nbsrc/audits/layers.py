"""Families of small convolution layers for brute-force tests, edge cases included."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

import torch
from torch import Tensor

from nbsrc.conv import conv_matrix, satisfies_assumption1

__all__ = ["Layer", "Shape", "layers_under_assumption1", "random_layers", "smallest_layers"]

Pair = tuple[int, int]


@dataclass(frozen=True)
class Shape:
    """Everything about a small layer but its weights."""

    channels_in: int
    channels_out: int
    input_size: Pair
    kernel_size: Pair
    stride: Pair = (1, 1)
    padding: Pair = (0, 0)
    dilation: Pair = (1, 1)
    groups: int = 1


@dataclass(frozen=True)
class Layer:
    """A small layer: its shape and its weight in float64."""

    shape: Shape
    weight: Tensor

    @property
    def options(self) -> dict[str, Any]:
        """Keyword arguments for the functions of :mod:`nbsrc.conv`."""
        s = self.shape
        return {
            "stride": s.stride, "padding": s.padding, "dilation": s.dilation, "groups": s.groups
        }  # fmt: skip

    @property
    def paper_options(self) -> dict[str, Any]:
        """The options that the paper's formulas know: stride and padding."""
        return {"stride": self.shape.stride, "padding": self.shape.padding}

    @property
    def matrix(self) -> Tensor:
        """The dense matrix, from torch's own layer."""
        return conv_matrix(self.weight, self.shape.input_size, **self.options)

    @property
    def assumption1(self) -> bool:
        """Whether Assumption 1 holds as printed."""
        s = self.shape
        return satisfies_assumption1(s.input_size, s.kernel_size, **self.paper_options)

    @property
    def size(self) -> tuple[int, ...]:
        """A size that orders layers from small to large."""
        s = self.shape
        numbers = (*s.input_size, *s.kernel_size, *s.stride, *s.padding, *s.dilation)
        return (s.channels_in + s.channels_out + s.groups + sum(numbers), *numbers)

    @property
    def description(self) -> dict[str, Any]:
        """The layer in plain values, for a counterexample; defaults are left out."""
        s = self.shape
        pairs = {
            "input": s.input_size, "kernel": s.kernel_size, "stride": s.stride,
            "padding": s.padding, "dilation": s.dilation,
        }  # fmt: skip
        usual = {"stride": (1, 1), "padding": (0, 0), "dilation": (1, 1)}
        shown: dict[str, Any] = {
            name: f"{a}x{b}" for name, (a, b) in pairs.items() if usual.get(name) != (a, b)
        }
        if (s.channels_in, s.channels_out) != (1, 1):
            shown["channels"] = f"{s.channels_in} to {s.channels_out}"
        if s.groups > 1:
            shown["groups"] = s.groups
        weight = self.weight.flatten().round(decimals=3).tolist()
        return {**shown, "weight": weight if len(weight) <= 12 else f"{len(weight)} numbers"}


def _one_entry(like: Tensor, generator: torch.Generator) -> Tensor:
    weight = torch.zeros_like(like)
    index = int(torch.randint(weight.numel(), (1,), generator=generator))
    weight.view(-1)[index] = -1.0
    return weight


WEIGHTS: tuple[tuple[str, Callable[[Tensor, torch.Generator], Tensor]], ...] = (
    ("Gaussian", lambda like, g: torch.randn(like.shape, generator=g, dtype=like.dtype)),
    ("all ones", lambda like, _: torch.ones_like(like)),
    ("small integers", lambda like, g: torch.randint(-2, 3, like.shape, generator=g).to(like)),
    ("one tap", _one_entry),
    ("zero", lambda like, _: torch.zeros_like(like)),
)  # fmt: skip


def random_layers(
    count: int,
    seed: int,
    *,
    accept: Callable[[Shape], bool] | None = None,
    max_dilation: int = 1,
    max_groups: int = 1,
    max_padding: int = 6,
) -> Iterator[Layer]:
    """Yield random small layers whose kernel fits the padded input.

    Sizes per axis are drawn independently: input 1..8, kernel 1..5, stride 1..5, padding
    0..``max_padding``, dilation 1..``max_dilation``; channels per group 1..2. So rectangular
    everything, padding >= kernel, stride > kernel and 1x1 inputs all occur. Weights cycle through
    Gaussian, all ones, small integers, a single tap, and (every 25th layer) zero.

    Args:
        count: Number of layers.
        seed: Seed of a generator of its own; the global random state is not touched.
        accept: Keep only shapes for which this is true.
        max_dilation: Largest dilation.
        max_groups: Largest number of groups.
        max_padding: Largest padding.

    Yields:
        The layers, with float64 weights.
    """
    generator = torch.Generator().manual_seed(seed)

    def draw(low: int, high: int) -> int:
        return int(torch.randint(low, high + 1, (1,), generator=generator))

    def pair(low: int, high: int) -> Pair:
        return draw(low, high), draw(low, high)

    made = 0
    while made < count:
        groups = draw(1, max_groups)
        shape = Shape(
            groups * draw(1, 2), groups * draw(1, 2), pair(1, 8), pair(1, 5), pair(1, 5),
            pair(0, max_padding), pair(1, max_dilation), groups,
        )  # fmt: skip
        fits = all(
            d * (k - 1) + 1 <= h + 2 * p
            for h, k, p, d in zip(
                shape.input_size, shape.kernel_size, shape.padding, shape.dilation, strict=True
            )
        )
        if not fits or (accept is not None and not accept(shape)):
            continue
        like = torch.empty(
            shape.channels_out, shape.channels_in // groups, *shape.kernel_size,
            dtype=torch.float64,
        )  # fmt: skip
        kind = 4 if made % 25 == 24 else made % 4
        yield Layer(shape, WEIGHTS[kind][1](like, generator))
        made += 1


def layers_under_assumption1(count: int, seed: int, **limits: int) -> Iterator[Layer]:
    """Yield random layers that satisfy Assumption 1 as printed.

    Args:
        count: Number of layers.
        seed: Seed of a generator of its own.
        **limits: Limits of :func:`random_layers`.

    Yields:
        The layers.
    """

    def accept(shape: Shape) -> bool:
        return satisfies_assumption1(
            shape.input_size, shape.kernel_size, stride=shape.stride, padding=shape.padding
        )

    yield from random_layers(count, seed, accept=accept, **limits)


def smallest_layers(total: int, *, wide: bool = False) -> Iterator[Layer]:
    """Yield all one-channel layers of ones whose numbers add up to at most ``total``.

    The horizontal axis is a single pixel and tap (two pixels and one tap if ``wide``, so that
    Assumption 1 can hold); the vertical axis runs through every input size, kernel size, stride and
    padding. For smallest counterexamples.

    Args:
        total: Largest sum of input size, kernel size, stride and padding.
        wide: Whether the horizontal axis has two pixels.

    Yields:
        The layers, from small to large.
    """
    numbers = range(1, total + 1)
    shapes = sorted(
        ((h, k, s, p) for h, k, s in product(numbers, repeat=3) for p in range(total)),
        key=lambda axis: (sum(axis), axis),
    )
    for h, k, s, p in shapes:
        if h + k + s + p <= total and k <= h + 2 * p:
            shape = Shape(1, 1, (h, 2 if wide else 1), (k, 1), (s, 1), (p, 0))
            yield Layer(shape, torch.ones(1, 1, k, 1, dtype=torch.float64))


def distinct_weights(shape: Shape) -> Tensor:
    """Return the weight 1, 2, 3, ... of a shape, so that every matrix entry names its tap.

    Args:
        shape: The layer's shape.

    Returns:
        ``[d_out, d_in/groups, k1, k2]`` in float64.
    """
    size = (shape.channels_out, shape.channels_in // shape.groups, *shape.kernel_size)
    return torch.arange(1, torch.Size(size).numel() + 1, dtype=torch.float64).reshape(size)
