"""Random convolution layers for hypothesis, and their matrices from torch's own modules."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from hypothesis import settings
from hypothesis import strategies as st
from torch import Tensor, nn

QUICK = settings(max_examples=25, deadline=None)
THOROUGH = settings(max_examples=80, deadline=None)

ORDERS = (1, math.inf, "fro")


@dataclass(frozen=True)
class Case:
    """A layer: its weight, its input size and its options as torch names them."""

    weight: Tensor
    size: tuple[int, ...]
    options: dict[str, Any]


def as_matrix(module: nn.Module, channels: int, size: tuple[int, ...]) -> Tensor:
    """Return the matrix of a linear module, one unit image per column."""
    count = channels * math.prod(size)
    eye = torch.eye(count, dtype=torch.float64).reshape(count, channels, *size)
    with torch.no_grad():
        return module(eye).flatten(1).T.contiguous()


CONV = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
TRANSPOSED = {1: nn.ConvTranspose1d, 2: nn.ConvTranspose2d, 3: nn.ConvTranspose3d}


def conv_oracle(weight: Tensor, size: tuple[int, ...], **options: Any) -> Tensor:
    """Return the dense float64 matrix of nn.Conv1d/2d/3d with this weight."""
    groups = options.get("groups", 1)
    module = CONV[len(size)](
        weight.shape[1] * groups, weight.shape[0], tuple(weight.shape[2:]), bias=False, **options
    ).double()
    module.weight.data = weight.detach().double().clone()
    return as_matrix(module, weight.shape[1] * groups, size)


def transposed_oracle(weight: Tensor, size: tuple[int, ...], **options: Any) -> Tensor:
    """Return the dense float64 matrix of nn.ConvTranspose1d/2d/3d with this weight."""
    groups = options.get("groups", 1)
    module = TRANSPOSED[len(size)](
        weight.shape[0], weight.shape[1] * groups, tuple(weight.shape[2:]), bias=False, **options
    ).double()
    module.weight.data = weight.detach().double().clone()
    return as_matrix(module, weight.shape[0], size)


def dense_norm(matrix: Tensor, order: float | str) -> float:
    """Return the norm of a matrix: largest column or row sum, hypot of all entries, or the SVD."""
    if order == "fro":
        return math.hypot(*matrix.flatten().tolist())  # scales, so it neither over- nor underflows
    if order == 2:
        return float(torch.linalg.svdvals(matrix).max())
    axis = 0 if order == 1 else 1
    return max(math.fsum(line) for line in matrix.abs().movedim(axis, 1).tolist())


def _weight(draw: Any, shape: tuple[int, ...]) -> Tensor:
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**31)))
    kind = draw(st.sampled_from(["normal", "normal", "integers", "sparse", "ones", "zero"]))
    if kind == "ones":
        return torch.ones(shape, dtype=torch.float64)
    if kind == "zero":
        return torch.zeros(shape, dtype=torch.float64)
    if kind == "integers":
        return torch.randint(-2, 3, shape, generator=generator).double()
    weight = torch.randn(shape, generator=generator, dtype=torch.float64)
    if kind == "sparse":
        weight *= torch.rand(shape, generator=generator) < 0.3
    return weight


@st.composite
def conv_cases(draw: Any, ndim: int = 2, largest: int = 7, max_groups: int = 3) -> Case:
    """Layers that torch accepts: nothing square, any stride, any padding, 1x1 inputs included."""
    groups = draw(st.integers(1, max_groups))
    channels = [groups * draw(st.integers(1, 2)) for _ in range(2)]
    axes = [draw(_axes(largest)) for _ in range(ndim)]
    size, kernel, stride, padding, dilation = zip(*axes, strict=True)
    weight = _weight(draw, (channels[1], channels[0] // groups, *kernel))
    options = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    return Case(weight, size, options)


@st.composite
def _axes(draw: Any, largest: int) -> tuple[int, int, int, int, int]:
    size, padding = draw(st.integers(1, largest)), draw(st.integers(0, 6))
    kernel = draw(st.integers(1, min(5, size + 2 * padding)))
    room = size + 2 * padding - 1
    dilation = draw(st.integers(1, max(1, min(3, room // max(1, kernel - 1)))))
    return size, kernel, draw(st.integers(1, 6)), padding, dilation


@st.composite
def transposed_cases(draw: Any, ndim: int = 2) -> Case:
    """Transposed layers that torch accepts, output_padding >= stride included."""
    groups = draw(st.integers(1, 3))
    axes = [draw(_transposed_axes()) for _ in range(ndim)]
    size, kernel, stride, padding, dilation, extra = zip(*axes, strict=True)
    shape = (groups * draw(st.integers(1, 2)), draw(st.integers(1, 2)), *kernel)
    options = {
        "stride": stride, "padding": padding, "dilation": dilation, "output_padding": extra,
        "groups": groups,
    }  # fmt: skip
    return Case(_weight(draw, shape), size, options)


@st.composite
def _transposed_axes(draw: Any) -> tuple[int, int, int, int, int, int]:
    size, kernel = draw(st.integers(1, 5)), draw(st.integers(1, 4))
    stride, dilation = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    extra = draw(st.integers(0, max(stride, dilation) - 1))
    full = (size - 1) * stride + dilation * (kernel - 1) + extra + 1
    padding = draw(st.integers(0, min(4, (full - 1) // 2)))
    return size, kernel, stride, padding, dilation, extra
