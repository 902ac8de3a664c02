r"""A proof that a convolution's l2 norm is below a number: one banded block Cholesky.

:math:`\|M\|_2 < \tau` if and only if :math:`\tau^2 I - M^\top M` is positive definite. Ordered by
image rows (or columns), the Gram matrix is block banded with a bandwidth of the kernel's height,
so one factorisation decides, for layers far too large for an SVD.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from nbsrc.conv.axis import Axis
from nbsrc.conv.geometry import Geometry

__all__ = ["GramPlan", "certify_below", "cheapest_plan"]

_EPS = torch.finfo(torch.float64).eps


@dataclass(frozen=True)
class GramPlan:
    """How to cut the Gram matrix into blocks.

    Attributes:
        along: The axis whose positions number the blocks (0: rows, 1: columns).
        of_outputs: Whether the Gram matrix is ``M M^T`` (else ``M^T M``).
        blocks: Number of blocks.
        block_size: Rows of a block, per group.
        bandwidth: How many blocks away two blocks can still be coupled.
        groups: Number of groups, factorised as a batch.
    """

    along: int
    of_outputs: bool
    blocks: int
    block_size: int
    bandwidth: int
    groups: int

    @property
    def work(self) -> float:
        """Floating-point operations of one certificate, about."""
        b = self.bandwidth
        return self.groups * self.blocks * float(self.block_size) ** 3 * (1 / 3 + b + b * (b + 1))

    @property
    def rounding(self) -> float:
        """Relative shift of the spectrum that covers the rounding errors of the factorisation.

        A completed Cholesky factorisation of A proves ``lambda_min(A) >= -g tr(A)`` with
        ``g = q eps / (1 - q eps)`` and q the longest inner product (Higham, Accuracy and Stability
        of Numerical Algorithms, section 10.1); the factor 4 is slack for blocked kernels.
        """
        longest = (self.bandwidth + 1) * self.block_size + 4
        return 4 * _EPS * longest * self.blocks * self.block_size


def cheapest_plan(kernel: Tensor, geometry: Geometry) -> GramPlan:
    """Return the cheapest of the four ways to cut the Gram matrix.

    Args:
        kernel: ``[groups, d_out/groups, d_in/groups, k1, k2]``.
        geometry: The convolution's geometry.

    Returns:
        The plan with the least work.
    """
    plans = []
    for along in (0, 1):
        axis, other = geometry.axes[along], geometry.axes[1 - along]
        reach = axis.dilation * (axis.kernel - 1)
        for of_outputs in (False, True):
            blocks = axis.outputs if of_outputs else axis.size
            width = other.outputs if of_outputs else other.size
            channels = kernel.shape[1] if of_outputs else kernel.shape[2]
            bandwidth = min(reach // axis.stride if of_outputs else reach, blocks - 1)
            plans.append(
                GramPlan(along, of_outputs, blocks, channels * width, bandwidth, kernel.shape[0])
            )
    return min(plans, key=lambda plan: plan.work)


def certify_below(kernel: Tensor, geometry: Geometry, bound: float, plan: GramPlan) -> bool:
    """Whether the l2 norm is proven to be below ``bound``, rounding errors included.

    Args:
        kernel: ``[groups, d_out/groups, d_in/groups, k1, k2]`` in float64.
        geometry: The convolution's geometry (zero padding).
        bound: The number to certify.
        plan: How to cut the Gram matrix, from :func:`cheapest_plan`.

    Returns:
        True if the norm is certainly below ``bound``; False proves nothing.
    """
    lines = _line_matrices(kernel, geometry, plan)
    length = lines.shape[-2] * lines.shape[1]
    mass = torch.linalg.matrix_norm(lines, ord=1).sum(1) * torch.linalg.matrix_norm(
        lines, ord=math.inf
    ).sum(1)
    forming = 2 * _EPS * (length + 4) * float(mass.max())
    shift = bound**2 * (1 - plan.rounding) - forming
    if shift <= 0:
        return False
    factors: deque[list[Tensor]] = deque(maxlen=max(plan.bandwidth, 1))
    for position in range(plan.blocks):
        column = [
            shift * torch.eye(plan.block_size, dtype=kernel.dtype, device=kernel.device) - block
            if row == position
            else -block
            for row, block in _gram_column(lines, geometry.axes[plan.along], plan, position)
        ]
        for age, old in enumerate(reversed(factors), start=1):
            for offset in range(len(old) - age):
                column[offset] = column[offset] - old[age + offset] @ old[age].mT
        root, failed = torch.linalg.cholesky_ex(column[0])
        if bool(failed.any()):
            return False
        below = [torch.linalg.solve_triangular(root, c.mT, upper=False).mT for c in column[1:]]
        if plan.bandwidth:
            factors.append([root, *below])
    return True


def _line_matrices(kernel: Tensor, geometry: Geometry, plan: GramPlan) -> Tensor:
    """Return, per tap of the block axis, the dense convolution along the other axis.

    Returns:
        ``[groups, taps, d_out*outputs, d_in*size]``, transposed where the plan is ``M M^T``.
    """
    other = geometry.axes[1 - plan.along]
    where = (
        torch.arange(other.outputs)[:, None] * other.stride
        + torch.arange(other.kernel) * other.dilation
        - other.pad
    )
    meets = torch.nn.functional.one_hot(where.clamp(0, other.size - 1), other.size)
    meets = meets * ((where >= 0) & (where < other.size))[..., None]
    meets = meets.to(kernel)  # [outputs, taps, pixels]
    ordered = kernel if plan.along == 0 else kernel.transpose(3, 4)
    lines = torch.einsum("gijkt,oty->gkiojy", ordered, meets)
    groups, taps = lines.shape[:2]
    lines = lines.reshape(groups, taps, kernel.shape[1] * other.outputs, -1)
    return lines.mT if plan.of_outputs else lines


def _gram_column(
    lines: Tensor, axis: Axis, plan: GramPlan, position: int
) -> Iterator[tuple[int, Tensor]]:
    """Yield the blocks on and below the diagonal of one block column of the Gram matrix."""
    last = min(position + plan.bandwidth, plan.blocks - 1)
    for row in range(position, last + 1):
        block = lines.new_zeros(lines.shape[0], plan.block_size, plan.block_size)
        for first, second in _common_taps(axis, plan.of_outputs, row, position):
            block = block + lines[:, first].mT @ lines[:, second]
        yield row, block


def _common_taps(axis: Axis, of_outputs: bool, row: int, column: int) -> list[tuple[int, int]]:
    """Return the tap pairs with which two positions of the block axis meet a common partner."""
    partners = axis.size if of_outputs else axis.outputs
    pairs = []
    for partner in range(partners):
        taps = []
        for position in (row, column):
            out, pixel = (position, partner) if of_outputs else (partner, position)
            distance = pixel + axis.pad - out * axis.stride
            tap, rest = divmod(distance, axis.dilation)
            taps.append(tap if rest == 0 and 0 <= tap < axis.kernel else None)
        if taps[0] is not None and taps[1] is not None:
            pairs.append((taps[0], taps[1]))
    return pairs
