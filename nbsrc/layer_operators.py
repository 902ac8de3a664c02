"""One layer as a linear map: which layers are known, and the norms of each kind."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn
from torch.nn.utils import parametrize

from nbsrc.batch_norm import batch_norm_bracket, batch_norm_norm
from nbsrc.bracket import Bracket
from nbsrc.conv import Geometry, geometry_norms, satisfies_assumption1
from nbsrc.conv.axis import Axis
from nbsrc.conv.spectral import geometry_spectral_norm
from nbsrc.layer_trace import Shape

__all__ = ["NORM_NAMES", "Measurement", "kind_of", "measure", "order_of"]

#: The name under which a record keeps each norm.
NORM_NAMES: dict[float | str, str] = {1: "l1", math.inf: "linf", "fro": "fro"}

_CONV = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
_CONV_TRANSPOSE = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
_BATCH_NORM = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)
_KINDS: tuple[tuple[str, tuple[type[nn.Module], ...]], ...] = (
    ("conv", _CONV),
    ("conv-transpose", _CONV_TRANSPOSE),
    ("linear", (nn.Linear,)),
    ("batch-norm", _BATCH_NORM),
)


@dataclass(frozen=True)
class Measurement:
    """What is known of one layer at one input size; the fields are those of ``LayerNorm``."""

    weight_shape: Shape | None = None
    geometry: dict[str, Any] = field(default_factory=dict)
    input_size: Shape | None = None
    groups: int | None = None
    norms: dict[str, float] = field(default_factory=dict)
    l2: Bracket | None = None
    satisfies_assumption1: bool | None = None
    remark: str = ""


def order_of(value: object) -> float | str:
    """Return a norm's order as 1, 2, ``math.inf`` or ``"fro"``.

    Args:
        value: The order to check.

    Returns:
        The order.

    Raises:
        ValueError: If ``value`` is none of them.
    """
    if isinstance(value, str) and value == "fro":
        return "fro"
    if isinstance(value, int | float) and not isinstance(value, bool) and value in (1, 2, math.inf):
        return value
    raise ValueError(f"ords must hold only 1, 2, inf and 'fro', got {value!r}")


def kind_of(module: nn.Module) -> str:
    """Name the linear map that a module computes in eval mode, ``"unknown"`` if it is not known.

    A subclass counts only if it computes what its base class computes: with a ``forward`` of its
    own (a convolution that standardises its weight, say) the norms would be those of another map.

    Args:
        module: The module.

    Returns:
        ``"conv"``, ``"conv-transpose"``, ``"linear"``, ``"batch-norm"`` or ``"unknown"``.
    """
    for kind, bases in _KINDS:
        for base in bases:
            if isinstance(module, base):
                return kind if _computes_as(module, base) else "unknown"
    return "unknown"


def _computes_as(module: nn.Module, base: type[nn.Module]) -> bool:
    """Return whether neither the module nor its class overrides what the base class computes."""
    own = parametrize.type_before_parametrizations(module)
    return all(
        name not in vars(module) and getattr(own, name, None) is getattr(base, name, None)
        for name in ("forward", "_conv_forward", "_output_padding")
    )


def measure(
    module: nn.Module,
    shapes: tuple[Shape, Shape] | None,
    ords: tuple[float | str, ...],
    rtol: float = 1e-6,
) -> Measurement:
    """Compute the norms of a known layer for one pair of input and output shapes.

    Args:
        module: A module whose :func:`kind_of` is not ``"unknown"``.
        shapes: Shapes of the layer's input and output tensors, None if they are not known.
        ords: Norms wanted, as :func:`order_of` returns them.
        rtol: Relative width of the l2 bracket.

    Returns:
        The measurement; without norms if ``shapes`` is None.

    Raises:
        ValueError: If a weight is NaN or infinite.
    """
    if isinstance(module, _BATCH_NORM):
        return _measure_batch_norm(module, shapes, ords)
    weight: Tensor = module.weight.detach()  # type: ignore[operator]
    shape = tuple(weight.shape)
    groups = module.groups if isinstance(module, _CONV + _CONV_TRANSPOSE) else None
    if shapes is None:
        return Measurement(shape, groups=groups)
    if isinstance(module, nn.Linear):
        return _measure_linear(weight, shapes[0], ords, rtol)
    assert isinstance(module, _CONV + _CONV_TRANSPOSE)
    return _measure_convolution(module, weight, shapes, ords, rtol)


def _measure_batch_norm(
    module: Any, shapes: tuple[Shape, Shape] | None, ords: tuple[float | str, ...]
) -> Measurement:
    """Return the measurement of batch norm in eval mode."""
    gamma, variance = module.weight, module.running_var
    shape = None if gamma is None else tuple(gamma.shape)
    if shapes is None:
        return Measurement(shape)
    size = shapes[0][2:]
    if variance is None:
        remark = "no running statistics: normalises by its own batch, so it has no fixed norm"
        return Measurement(shape, input_size=size, remark=remark)
    norms = {
        NORM_NAMES[order]: float(
            batch_norm_norm(gamma, variance, ord=order, eps=module.eps, positions=math.prod(size))
        )
        for order in _exact(ords)
    }
    l2 = batch_norm_bracket(gamma, variance, module.eps) if 2 in ords else None
    return Measurement(shape, input_size=size, norms=norms, l2=l2)


def _measure_linear(
    weight: Tensor, given: Shape, ords: tuple[float | str, ...], rtol: float
) -> Measurement:
    """Return that of a linear layer: a block-diagonal matrix, one block per position."""
    positions = given[1:-1]
    kernel, one_pixel = weight[:, :, None], Geometry.for_conv(1, 1, ndim=1)
    exact = geometry_norms(kernel, one_pixel, _exact(ords))
    norms = {NORM_NAMES[order]: float(value) for order, value in exact.items()}
    if "fro" in norms:
        norms["fro"] *= math.sqrt(math.prod(positions))
    bracket = _spectral_bracket(kernel, one_pixel, 1, rtol)[0] if 2 in ords else None
    return Measurement(tuple(weight.shape), input_size=positions, norms=norms, l2=bracket)


def _measure_convolution(
    module: Any, weight: Tensor, shapes: tuple[Shape, Shape], ords: tuple[float | str, ...],
    rtol: float,
) -> Measurement:  # fmt: skip
    """Return that of a convolution or transposed convolution of any dimension."""
    n = weight.ndim - 2
    size = shapes[0][-n:]
    transposed = isinstance(module, _CONV_TRANSPOSE)
    options = {name: getattr(module, name) for name in ("stride", "padding", "dilation")}
    if transposed:
        options["output_padding"] = _output_padding_in_effect(module, size, shapes[1][-n:])
    else:
        options["padding_mode"] = module.padding_mode
    seen: dict[str, Any] = {
        "weight_shape": tuple(weight.shape),
        "geometry": options,
        "input_size": size,
        "groups": module.groups,
    }
    build = Geometry.for_conv_transpose if transposed else Geometry.for_conv
    try:
        geometry = build(size, module.kernel_size, ndim=n, **options)
        exact = geometry_norms(
            weight, geometry, _exact(ords), groups=module.groups, transposed=transposed
        )
    except NotImplementedError as error:
        return Measurement(**seen, remark=str(error))
    norms = {NORM_NAMES[order]: float(value) for order, value in exact.items()}
    l2, remark = None, ""
    if 2 in ords:
        l2, remark = _spectral_bracket(weight, geometry, module.groups, rtol)
    assumption = None if transposed else _assumption1(size, module.kernel_size, options)
    return Measurement(**seen, norms=norms, l2=l2, satisfies_assumption1=assumption, remark=remark)


def _spectral_bracket(
    weight: Tensor, geometry: Geometry, groups: int, rtol: float
) -> tuple[Bracket | None, str]:
    """Return the bracket of the l2 norm, or None and the reason.

    A layer and its transpose share it, and a one-dimensional layer is a two-dimensional one on
    images one pixel high.
    """
    if len(geometry.axes) > 2:
        return None, "no l2 bracket for three-dimensional layers"
    if len(geometry.axes) == 1:
        geometry = Geometry((Axis(1, 1, 1, 0, 1, 1), *geometry.axes))
        weight = weight[:, :, None, :]
    try:
        return geometry_spectral_norm(weight, geometry, groups=groups, rtol=rtol), ""
    except NotImplementedError as error:
        return None, f"no l2 bracket: {error}"


def _exact(ords: tuple[float | str, ...]) -> tuple[float | str, ...]:
    """Return the orders with a closed form."""
    return tuple(order for order in ords if order != 2)


def _output_padding_in_effect(module: Any, size: Shape, output: Shape) -> Shape:
    """Return the output padding of a call, which ``forward(..., output_size=)`` can override."""
    m = module
    axes = zip(size, output, m.kernel_size, m.stride, m.padding, m.dilation, strict=True)
    return tuple(o - ((h - 1) * s - 2 * p + d * (k - 1) + 1) for h, o, k, s, p, d in axes)


def _assumption1(size: Shape, kernel_size: Shape, options: Mapping[str, Any]) -> bool | None:
    """Return whether the paper's Assumption 1 holds, None where it does not apply."""
    padding, zeros = options["padding"], options["padding_mode"] == "zeros"
    if len(size) != 2 or set(options["dilation"]) != {1} or not zeros or isinstance(padding, str):
        return None
    return satisfies_assumption1(size, kernel_size, stride=options["stride"], padding=padding)
