"""Zero padding against the torus: the spectrum of a layer and the one of the Fourier transform."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from nbsrc.audits.finding import Case, collect
from nbsrc.claims import Finding
from nbsrc.conv.dense import conv_matrix
from nbsrc.layer_spectra import circular_singular_values, spectrum

__all__ = ["Filter", "audit_torus_bounds", "filters"]


@dataclass(frozen=True, eq=False)
class Filter:
    """A stride-1 convolution that keeps the size of the image, with zero padding.

    Attributes:
        weight: ``[d_out, d_in, k1, k2]``, odd kernel.
        image: Height and width.
    """

    weight: Tensor
    image: tuple[int, int]

    @property
    def padding(self) -> tuple[int, int]:
        """Pixels of padding per side."""
        return (self.weight.shape[2] - 1) // 2, (self.weight.shape[3] - 1) // 2

    @property
    def true(self) -> Tensor:
        """The singular values of the operator that the layer applies."""
        return spectrum(conv_matrix(self.weight, self.image, padding=self.padding)).values

    def torus(self, extra: int) -> Tensor:
        """Return the singular values on a torus.

        Args:
            extra: How often the padding is added to the image's size.

        Returns:
            The singular values.
        """
        h, w = (n + extra * p for n, p in zip(self.image, self.padding, strict=True))
        return circular_singular_values(self.weight, (h, w))


def filters(count: int, seed: int) -> Iterator[Filter]:
    """Yield whole kernels with three taps on up to four pixels, then random ones.

    Args:
        count: Number of random ones.
        seed: Seed.

    Yields:
        The filters.
    """
    for w, taps in itertools.product((1, 2, 3, 4), itertools.product((1, 0, -1), repeat=3)):
        yield Filter(torch.tensor(taps, dtype=torch.float64).reshape(1, 1, 1, 3), (1, w))
    g = torch.Generator().manual_seed(seed)
    for number in range(count):
        k = (1, 3, 5)[number % 3]
        weight = torch.randn(2, 1 + number % 2, 3, k, generator=g, dtype=torch.float64)
        yield Filter(weight, (4, 3 + number % 3))


def audit_torus_bounds(cases: Iterable[Filter], *, extra: int) -> Finding:
    """Test that every singular value is at most that of the same rank on a torus.

    Args:
        cases: Filters.
        extra: The torus is larger than the image by this many times the padding: 1 for the
            statement, 0 for the torus of the image's own size.

    Returns:
        The finding; the slack is relative to the larger of the two largest values.
    """

    def results() -> Iterator[Case]:
        for number, case in enumerate(cases):
            true, torus = case.true, case.torus(extra)
            scale = float(torch.maximum(true[0], torus[0])) or 1.0
            slack = float((torus[: len(true)] - true).min()) / scale
            shown = {"kernel": case.weight.tolist(), "image": list(case.image),
                     "largest": float(true[0]), "on the torus": float(torus[0])}  # fmt: skip
            size = (case.weight.numel(), case.image[1], int(case.weight.abs().sum()), number)
            yield slack, size, shown

    return collect(results(), tolerance=1e-10, family="whole kernels of three taps, random kernels")
