"""The l2 norm of a convolution layer, always between a certified lower and upper value."""

from __future__ import annotations

import inspect
import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigsh
from torch import Tensor
from torch.nn import functional

from nbsrc.bracket import Bracket
from nbsrc.conv._arguments import IntOrSeq, Padding, check_finite, check_weight
from nbsrc.conv.bounds import geometry_l2_bounds, symbol_work
from nbsrc.conv.certificate import certify_below, cheapest_plan
from nbsrc.conv.frobenius import tap_meetings
from nbsrc.conv.geometry import Geometry

__all__ = ["conv_spectral_norm"]

_EPS = float(torch.finfo(torch.float64).eps)
_DENSE_SIDE = 512  # below this smaller side an SVD of the dense matrix takes well under a second
_DENSE_ENTRIES = 2**23
_TAKES_RNG = "rng" in inspect.signature(eigsh).parameters  # SciPy >= 1.17: no fixed seed inside
_STARTS = 3  # Lanczos runs from this many start vectors before the certificate gives up


def conv_spectral_norm(
    weight: Tensor,
    input_size: IntOrSeq,
    *,
    stride: IntOrSeq = 1,
    padding: Padding = 0,
    dilation: IntOrSeq = 1,
    groups: int = 1,
    rtol: float = 1e-6,
    max_work: float = 3e11,
) -> Bracket:
    r"""The l2 norm of a two-dimensional convolution, in a certified bracket.

    Small layers: singular values of the dense matrix. Larger ones: Lanczos iterations on
    :math:`M^\top M` give the lower value :math:`\|Mv\|/\|v\|`; a banded block Cholesky
    factorisation of :math:`u^2 I - M^\top M` proves the upper value u
    (:mod:`nbsrc.conv.certificate`). Where that costs more than ``max_work``, the upper value is the
    best closed-form bound of :func:`conv_l2_bounds`, and ``converged`` is False unless it happens
    to be tight. Rounding errors are included in both ends.

    Args:
        weight: ``[d_out, d_in/groups, k1, k2]``; evaluated in float64 whatever its dtype.
        input_size: ``(h_in, w_in)`` in pixels, or one integer for both.
        stride: Pixels between two outputs.
        padding: Pixels of zero padding, or ``"same"`` or ``"valid"``.
        dilation: Pixels between two taps.
        groups: Number of groups.
        rtol: Wanted relative width of the bracket.
        max_work: Floating-point operations allowed for a certificate, and for the torus bound.

    Returns:
        The bracket; ``iterations`` counts applications of :math:`M^\top M` (0: dense).

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If an argument is out of range, or a weight is NaN or infinite.

    Example:
        >>> norm = conv_spectral_norm(torch.ones(1, 1, 3, 3), 8, padding=1)
        >>> round(norm.value, 6), norm.converged
        (8.290859, True)
    """
    weight, groups = check_weight(weight, (2,), groups)
    geometry = Geometry.for_conv(
        input_size, weight.shape[2:], stride=stride, padding=padding, dilation=dilation
    )
    return geometry_spectral_norm(weight, geometry, groups=groups, rtol=rtol, max_work=max_work)


def geometry_spectral_norm(
    weight: Tensor,
    geometry: Geometry,
    *,
    groups: int = 1,
    rtol: float = 1e-6,
    max_work: float = 3e11,
) -> Bracket:
    """The bracket of :func:`conv_spectral_norm` for a given geometry.

    Args:
        weight: ``[d_out, d_in/groups, k1, k2]``.
        geometry: The convolution's geometry with zero padding, a transposed one included.
        groups: Number of groups.
        rtol: Wanted relative width of the bracket.
        max_work: Floating-point operations allowed for a certificate.

    Returns:
        The bracket.

    Raises:
        NotImplementedError: If the geometry's padding is circular.
        TypeError: If ``rtol`` or ``max_work`` is not a number.
        ValueError: If ``rtol`` is not in (0, 1), ``max_work`` is negative or NaN, or a weight is
            NaN or infinite.
    """
    for name, number in (("rtol", rtol), ("max_work", max_work)):
        if isinstance(number, bool) or not isinstance(number, int | float):
            raise TypeError(f"{name} must be a number, got {number!r}")
    if not 0 < rtol < 1:
        raise ValueError(f"rtol must be between 0 and 1, got {rtol!r}")
    if not max_work >= 0:
        raise ValueError(f"max_work must be at least 0, got {max_work!r}")
    if any(axis.circular for axis in geometry.axes):
        raise NotImplementedError("the spectral norm supports zero padding, not circular padding")
    kernel = weight.detach().double()
    check_finite(weight, kernel.sum())
    kernel = kernel * (tap_meetings(geometry, kernel) > 0)  # the others are not in the matrix
    scale = float(kernel.abs().max())
    if scale == 0:
        return Bracket(0.0, 0.0, 0.0, 0, True)
    operator = _Operator(kernel / scale, geometry, groups)  # squares neither over- nor underflow
    small = min(operator.rows, operator.columns) // groups
    entries = operator.rows * operator.columns // groups
    if small <= _DENSE_SIDE and entries <= _DENSE_ENTRIES:
        found = operator.dense_bracket(rtol)
    else:
        found = operator.iterative_bracket(rtol, max_work)
    low, value, high = (scale * end for end in (found.lower, found.value, found.upper))
    low, high = math.nextafter(low, 0.0), math.nextafter(high, math.inf)  # that product's rounding
    return Bracket(value, low, high, found.iterations, found.converged and high < math.inf)


class _Operator:
    """A convolution and its transpose as linear maps, in float64."""

    def __init__(self, kernel: Tensor, geometry: Geometry, groups: int) -> None:
        self.kernel, self.geometry, self.groups = kernel, geometry, groups
        self.inputs = (kernel.shape[1] * groups, *geometry.input_size)
        self.outputs = (kernel.shape[0], *geometry.output_size)
        self.columns, self.rows = math.prod(self.inputs), math.prod(self.outputs)
        self.split = kernel.reshape(groups, kernel.shape[0] // groups, *kernel.shape[1:])
        self.strides = tuple(axis.stride for axis in geometry.axes)
        self.dilations = tuple(axis.dilation for axis in geometry.axes)
        margins = []
        for axis in reversed(geometry.axes):  # functional.pad wants the last axis first
            end = (axis.outputs - 1) * axis.stride + axis.dilation * (axis.kernel - 1) + 1
            margins += [axis.pad, end - axis.pad - axis.size]
        self.margins = margins
        self.rounding = 8 * _EPS * (kernel[0].numel() + kernel.shape[0] * 2 + 16)

    def apply(self, images: Tensor) -> Tensor:
        """Return ``M x`` for a batch of images."""
        padded = functional.pad(images, self.margins)
        return functional.conv2d(
            padded, self.kernel, None, self.strides, 0, self.dilations, self.groups
        )

    def adjoint(self, maps: Tensor) -> Tensor:
        """Return ``M^T y`` for a batch of output maps."""
        padded = functional.conv_transpose2d(
            maps, self.kernel, None, self.strides, 0, 0, self.groups, self.dilations
        )
        return functional.pad(padded, [-margin for margin in self.margins])

    def dense_bracket(self, rtol: float) -> Bracket:
        """Return the bracket from singular values of the dense matrix, group by group."""
        largest = 0.0
        for number in range(self.groups):
            part = _Operator(self.split[number], self.geometry, 1)
            eye = torch.eye(part.columns, dtype=part.kernel.dtype, device=part.kernel.device)
            matrix = part.apply(eye.reshape(-1, *part.inputs)).flatten(1)
            largest = max(largest, float(torch.linalg.svdvals(matrix).max()))
        slack = 16 * _EPS * (math.sqrt(self.rows * self.columns) / self.groups + 16)
        width = 2 * slack / (1 + slack)
        return Bracket(largest, largest * (1 - slack), largest * (1 + slack), 0, width <= rtol)

    def iterative_bracket(self, rtol: float, max_work: float) -> Bracket:
        """Return the bracket from Lanczos iterations and, if affordable, a certificate."""
        affordable = symbol_work(self.split, self.geometry) <= max_work
        bounds = geometry_l2_bounds(
            self.kernel, self.geometry, groups=self.groups, symbol=affordable
        )
        upper = bounds.upper * (1 + 4 * _EPS * (self.kernel.numel() + 64))
        lower = bounds.lower * (1 - 4 * _EPS * (self.kernel.numel() + 64))
        plan = cheapest_plan(self.split, self.geometry)
        spent = 0
        for start in range(_STARTS):
            found, steps = self.rayleigh_quotient(rtol / 16, start)
            lower, spent = max(lower, found), spent + steps
            if upper - lower <= rtol * upper or plan.work > max_work:
                break
            target = lower * (1 + max(0.9 * rtol, plan.rounding))
            if target < upper and certify_below(self.split, self.geometry, target, plan):
                upper = target
                break
        value = min(max(lower, bounds.lower), upper)
        return Bracket(value, min(lower, value), upper, spent, upper - lower <= rtol * upper)

    def rayleigh_quotient(self, tolerance: float, start: int) -> tuple[float, int]:
        """Return a certified lower bound of the norm and the operator applications it took."""
        steps = 0
        wide = self.columns > self.rows
        shape = self.outputs if wide else self.inputs
        device = self.kernel.device

        def gram(vector: NDArray[np.float64]) -> NDArray[np.float64]:
            nonlocal steps
            steps += 1
            image = torch.from_numpy(np.array(vector, dtype=np.float64)).reshape(1, *shape)
            image = image.to(device)
            out = self.apply(self.adjoint(image)) if wide else self.adjoint(self.apply(image))
            flat: NDArray[np.float64] = out.flatten().cpu().numpy()
            return flat

        size = math.prod(shape)
        generator = np.random.default_rng(start)
        first = generator.standard_normal(size)
        options: dict[str, Any] = {"rng": generator} if _TAKES_RNG else {}
        vectors = first[:, None]
        if size > 1:  # else any vector is an eigenvector, and ARPACK refuses
            try:
                _, vectors = eigsh(
                    LinearOperator((size, size), matvec=gram, dtype=np.float64),
                    k=1, v0=first, tol=tolerance, which="LA", maxiter=300, **options,
                )  # fmt: skip
            except ArpackNoConvergence as partial:
                vectors = partial.eigenvectors
        best = vectors[:, 0] if vectors.size else gram(first)
        image = torch.from_numpy(np.ascontiguousarray(best)).reshape(1, *shape).to(device)
        mapped = self.adjoint(image) if wide else self.apply(image)
        ratio = float(torch.linalg.vector_norm(mapped) / torch.linalg.vector_norm(image))
        return ratio * (1 - 4 * _EPS * math.sqrt(size)) * (1 - self.rounding), steps
