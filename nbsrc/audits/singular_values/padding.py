"""Zero padding against the torus: the spectrum of a layer and the one of the Fourier transform."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from nbsrc.audits.finding import Case, collect
from nbsrc.claims import Finding
from nbsrc.conv.dense import conv_matrix
from nbsrc.layer_spectra import circular_singular_values, spectrum

__all__ = ["Filter", "Pixels", "audit_torus_below", "audit_torus_bounds", "filters"]


#: Size of a torus along one axis, from the image's size and its padding.
Pixels = Callable[[int, int], int]


@dataclass(frozen=True, eq=False)
class Filter:
    """A convolution with zero padding.

    Attributes:
        weight: ``[d_out, d_in/groups, k1, k2]``.
        image: Height and width.
        padding: Pixels of padding per side.
        stride: Pixels between two outputs.
        dilation: Pixels between two taps.
        groups: Number of groups.
    """

    weight: Tensor
    image: tuple[int, int]
    padding: tuple[int, int]
    stride: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1

    @property
    def true(self) -> Tensor:
        """The singular values of the operator that the layer applies."""
        matrix = conv_matrix(
            self.weight, self.image, padding=self.padding, stride=self.stride,
            dilation=self.dilation, groups=self.groups,
        )  # fmt: skip
        return spectrum(matrix).values

    def torus(self, pixels: Pixels) -> Tensor:
        """Return the singular values of the kernel on a torus, stride 1.

        Args:
            pixels: The torus's size along an axis.

        Returns:
            The singular values.
        """
        (a, b), (h, w) = self.dilation, self.weight.shape[2:]
        spaced = self.weight.new_zeros(*self.weight.shape[:2], a * (h - 1) + 1, b * (w - 1) + 1)
        spaced[:, :, ::a, ::b] = self.weight
        size = [max(1, pixels(n, p)) for n, p in zip(self.image, self.padding, strict=True)]
        return circular_singular_values(spaced, size, groups=self.groups)


def filters(count: int, seed: int) -> Iterator[Filter]:
    """Yield whole kernels in one row of pixels that keep its size, then random ones of all kinds.

    Args:
        count: Number of random ones; even kernels, strides, dilations, groups, any padding.
        seed: Seed.

    Yields:
        The filters.
    """
    for taps, images in ((3, (1, 2, 3, 4)), (5, (1, 2))):
        for w, values in itertools.product(images, itertools.product((1, 0, -1), repeat=taps)):
            kernel = torch.tensor(values, dtype=torch.float64).reshape(1, 1, 1, taps)
            yield Filter(kernel, (1, w), (0, (taps - 1) // 2))
    g = torch.Generator().manual_seed(seed)

    def pair(low: int, high: int) -> tuple[int, int]:
        a, b = (int(torch.randint(low, high + 1, (), generator=g)) for _ in range(2))
        return a, b

    for number in range(count):
        (k1, k2), (d1, d2), groups = pair(1, 4), pair(1, 2), 1 + number % 2
        reach = d1 * (k1 - 1) + 1, d2 * (k2 - 1) + 1
        padding = pair(0, reach[0])[0], pair(0, reach[1])[0]
        h, w = pair(1, 5)  # at least the part of the kernel that padding does not cover
        image = max(h, reach[0] - 2 * padding[0]), max(w, reach[1] - 2 * padding[1])
        outputs, inputs = pair(1, 2)
        weight = torch.randn(outputs * groups, inputs, k1, k2, generator=g, dtype=torch.float64)
        yield Filter(weight, image, padding, pair(1, 3), (d1, d2), groups)


def audit_torus_bounds(cases: Iterable[Filter], pixels: Pixels) -> Finding:
    """Test that every singular value is at most that of the same rank on a torus.

    Args:
        cases: Filters.
        pixels: The torus's size along an axis, ``n + p`` for the statement; values beyond its last
            one are 0.

    Returns:
        The finding; the slack is relative to the larger of the two largest values.
    """

    def results() -> Iterator[Case]:
        for number, case in enumerate(cases):
            true, torus = case.true, case.torus(pixels)
            torus = torch.cat([torus, torus.new_zeros(len(true))])
            scale = float(torch.maximum(true[0], torus[0])) or 1.0
            slack = float((torus[: len(true)] - true).min()) / scale
            yield slack, _size(case, number), _shown(case, true, torus)

    return collect(results(), tolerance=1e-10, family="whole kernels in a row, random kernels")


def audit_torus_below(cases: Iterable[Filter], pixels: Pixels) -> Finding:
    """Test that the smallest singular value is at least the smallest one on a torus.

    Args:
        cases: Filters.
        pixels: The torus's size along an axis.

    Returns:
        The finding; the slack is relative to the larger of the two largest values.
    """

    def results() -> Iterator[Case]:
        for number, case in enumerate(cases):
            true, torus = case.true, case.torus(pixels)
            scale = float(torch.maximum(true[0], torus[0])) or 1.0
            slack = float(true[-1] - torus[-1]) / scale
            yield slack, _size(case, number), _shown(case, true, torus)

    return collect(results(), tolerance=1e-10, family="whole kernels in a row, random kernels")


def _size(case: Filter, number: int) -> tuple[int, ...]:
    return case.weight.numel(), case.image[1], int(case.weight.abs().sum()), number


def _shown(case: Filter, true: Tensor, torus: Tensor) -> dict[str, Any]:
    return {"kernel": case.weight.tolist(), "image": list(case.image),
            "padding": list(case.padding), "values": [float(true[0]), float(true[-1])],
            "on the torus": [float(torus[0]), float(torus[-1])]}  # fmt: skip
