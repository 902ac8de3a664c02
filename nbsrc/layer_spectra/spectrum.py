"""All singular values of one matrix, and the statistics that are made of them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["Spectrum", "check_matrix", "spectrum"]


@dataclass(frozen=True, eq=False)
class Spectrum:
    """The ``min(rows, columns)`` singular values of a matrix.

    Attributes:
        values: The singular values in double precision, largest first.
        rows: Number of rows, the dimension of the output.
        columns: Number of columns, the dimension n of the input.
    """

    values: Tensor
    rows: int
    columns: int

    @property
    def mean(self) -> float:
        """Mean of the singular values."""
        return float(self.values.mean())

    @property
    def std(self) -> float:
        """Standard deviation of the singular values, over their number."""
        return float(self.values.std(correction=0))

    @property
    def relative_std(self) -> float:
        """``std / mean``, which a factor in front of the matrix leaves as it is; NaN for 0."""
        return self.std / self.mean if self.mean else math.nan

    @property
    def maximum(self) -> float:
        """The largest singular value."""
        return float(self.values[0])

    @property
    def minimum(self) -> float:
        """The smallest of the ``min(rows, columns)`` singular values."""
        return float(self.values[-1])

    @property
    def rank(self) -> int:
        """How many singular values are above the rounding error of the largest."""
        eps = torch.finfo(self.values.dtype).eps
        return int((self.values > max(self.rows, self.columns) * eps * self.maximum).sum())

    @property
    def smallest_positive(self) -> float:
        """The smallest singular value that counts towards the rank; NaN if there is none."""
        return float(self.values[self.rank - 1]) if self.rank else math.nan

    @property
    def condition(self) -> float:
        """``maximum / minimum``, infinite if the rank is below ``min(rows, columns)``."""
        return self.maximum / self.minimum if self.rank == len(self.values) else math.inf

    @property
    def per_direction(self) -> Tensor:
        """One value for each of the n input directions: a wide matrix gets zeros."""
        return torch.cat([self.values, self.values.new_zeros(self.columns - len(self.values))])

    @property
    def smallest_gain(self) -> float:
        """The smallest ``|W x| / |x|`` over all x: 0 for every wide matrix."""
        return float(self.per_direction[-1])


def spectrum(matrix: Tensor) -> Spectrum:
    """Compute all singular values of a matrix in double precision.

    Args:
        matrix: The matrix, at least one row and one column.

    Returns:
        The spectrum.

    Raises:
        TypeError: If ``matrix`` is no real tensor.
        ValueError: If it is no matrix, is empty, or holds a NaN or an infinity.

    Example:
        >>> spectrum(torch.tensor([[3.0, 0.0], [0.0, 1.0]])).values.tolist()
        [3.0, 1.0]
    """
    checked = check_matrix(matrix)
    values = torch.linalg.svdvals(checked)
    return Spectrum(values, *checked.shape)


def check_matrix(matrix: Tensor) -> Tensor:
    """Return a matrix in double precision, detached.

    Args:
        matrix: The matrix to check.

    Returns:
        The matrix.

    Raises:
        TypeError: If ``matrix`` is no real tensor.
        ValueError: If it is no matrix, is empty, or holds a NaN or an infinity.
    """
    if not isinstance(matrix, Tensor) or matrix.is_complex():
        raise TypeError(f"matrix must be a real tensor, got {type(matrix).__name__}")
    if matrix.ndim != 2 or not matrix.numel():
        raise ValueError(f"matrix must have rows and columns, got shape {tuple(matrix.shape)}")
    checked = matrix.detach().double()
    if not checked.isfinite().all():
        raise ValueError("matrix must be finite, got NaN or infinity")
    return checked
