"""Which layers are regularised, with the geometry at which the network calls them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parametrize

from nbsrc.conv import Geometry
from nbsrc.conv.axis import pixel_profiles
from nbsrc.layer_operators import kind_of
from nbsrc.layer_trace import Example, Shape, model_preserved, traced_calls
from nbsrc.regularizers._arguments import submodule

__all__ = ["WeightLayer", "weight_layers"]

_KINDS = ("conv", "conv-transpose", "linear")
_CONV_TRANSPOSE = {1: F.conv_transpose1d, 2: F.conv_transpose2d, 3: F.conv_transpose3d}


@dataclass(frozen=True)
class WeightLayer:
    """A convolution, transposed convolution or linear layer as a linear map.

    Attributes:
        name: Its name in the model.
        kind: ``"conv"``, ``"conv-transpose"`` or ``"linear"``.
        geometry: Geometry of the convolution, of that which a transposed layer transposes, or of
            one pixel for a linear layer; None where :class:`nbsrc.conv.Geometry` has none.
        groups: Number of groups.
        weight_shape: Shape of the weight.
        input_shape: Shape of one input, without the batch dimension.
        output_shape: Shape of one output.
        remark: Why there is no geometry.
    """

    name: str
    kind: str
    geometry: Geometry | None
    groups: int
    weight_shape: Shape
    input_shape: Shape
    output_shape: Shape
    remark: str = ""

    def module(self, model: nn.Module) -> Any:
        """The layer's module in a model.

        Args:
            model: The network, or a copy of it.

        Returns:
            The module.

        Raises:
            ValueError: If the model has no such layer, or its weight is parametrized or of
                another shape.
        """
        found: Any = submodule(model, self.name)
        if parametrize.is_parametrized(found):
            raise ValueError(
                f"layer {self.name!r} has a parametrized weight; regularise what it is made of"
            )
        shape = tuple(getattr(found, "weight", torch.empty(0)).shape)
        if shape != self.weight_shape:
            raise ValueError(
                f"layer {self.name!r} must have a weight of shape {self.weight_shape}, got {shape}"
            )
        return found

    def weight(self, model: nn.Module) -> nn.Parameter:
        """The layer's weight in a model.

        Args:
            model: The network, or a copy of it.

        Returns:
            The parameter.
        """
        parameter: nn.Parameter = self.module(model).weight
        return parameter

    def kernel(self, weight: Tensor) -> Tensor:
        """The weight as a kernel of the layer's geometry.

        Args:
            weight: The layer's weight.

        Returns:
            ``[d_out, d_in/groups, *kernel]``; for a linear layer with one tap.
        """
        return weight.unsqueeze(-1) if self.kind == "linear" else weight

    def known_geometry(self, purpose: str) -> Geometry:
        """The geometry, insisted on.

        Args:
            purpose: What it is needed for, for the message.

        Returns:
            The geometry.

        Raises:
            NotImplementedError: If there is none.
        """
        if self.geometry is None:
            raise NotImplementedError(f"layer {self.name!r}: no {purpose}: {self.remark}")
        return self.geometry

    def apply(self, model: nn.Module, weight: Tensor, v: Tensor) -> Tensor:
        """The linear map of the layer, without its bias, as torch computes it.

        Args:
            model: The network.
            weight: The weight to use.
            v: ``[batch, *input_shape]``.

        Returns:
            ``[batch, *output_shape]``.
        """
        if self.kind == "linear":
            return F.linear(v, weight)
        module = self.module(model)
        if self.kind == "conv":
            image: Tensor = module._conv_forward(v, weight, None)
            return image
        extra = _output_padding(module, self.input_shape, self.output_shape)
        return _CONV_TRANSPOSE[weight.ndim - 2](
            v, weight, None, module.stride, module.padding, extra, self.groups, module.dilation
        )


def weight_layers(
    model: nn.Module, example_input: Example, names: Iterable[str] | None = None
) -> tuple[WeightLayer, ...]:
    """The layers to regularise: those of the given names, or all that have a known linear map.

    One traced forward in eval mode finds the size at which each layer is called; it leaves no
    trace on the model or on random states.

    Args:
        model: The network.
        example_input: An input, several of them, or the shape of one with its batch dimension.
        names: Names of layers; None for every convolution, transposed convolution and linear
            layer of the model.

    Returns:
        The layers, in the order of the names, or of ``model.named_modules()``.

    Raises:
        TypeError: If ``model`` is no module, ``example_input`` no example, or ``names`` a string.
        ValueError: If a name is unknown or given twice, or a layer is of another kind, not called,
            called at several sizes, or has a parametrized weight.

    Example:
        >>> net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8, 3))
        >>> [(layer.name, layer.input_shape) for layer in weight_layers(net, (1, 1, 4, 4))]
        [('0', (1, 4, 4)), ('3', (8,))]
    """
    if isinstance(names, str):
        raise TypeError(f"names must be several names, got the string {names!r}")
    if not isinstance(model, nn.Module):
        raise TypeError(f"model must be a torch.nn.Module, got {type(model).__name__}")
    if names is None:
        chosen = [name for name, module in model.named_modules() if kind_of(module) in _KINDS]
    else:
        chosen = list(names)
    with model_preserved(model):
        calls = traced_calls(model, example_input)
    found: dict[str, WeightLayer] = {}
    for name in chosen:
        if name in found:
            raise ValueError(f"layer {name!r} is named twice")
        module = submodule(model, name)
        found[name] = _layer(name, module, calls.get(module, []))
    return tuple(found.values())


def _layer(name: str, module: Any, calls: list[tuple[Shape, Shape]]) -> WeightLayer:
    """Return the record of one layer.

    Raises:
        ValueError: If it cannot be regularised; the message names it.
    """
    kind = kind_of(module)
    if kind not in _KINDS:
        raise ValueError(
            f"layer {name!r} ({type(module).__name__}) must be a convolution, a transposed "
            "convolution or a linear layer"
        )
    if parametrize.is_parametrized(module):
        raise ValueError(f"layer {name!r} has a parametrized weight; regularise what it is made of")
    if not calls:
        raise ValueError(f"layer {name!r} is not called by the model")
    shape = tuple(module.weight.shape)
    if kind == "linear":
        geometry = Geometry.for_conv(1, 1, ndim=1)
        return WeightLayer(name, kind, geometry, 1, shape, shape[1:], shape[:1])
    ndim = len(shape) - 2
    sizes = sorted({(given[-ndim - 1 :], out[-ndim - 1 :]) for given, out in calls})
    if len(sizes) > 1:
        raise ValueError(
            f"layer {name!r} must be called at one size, got {[given for given, _ in sizes]}"
        )
    (given, out), remark = sizes[0], ""
    built: Geometry | None
    options = {key: getattr(module, key) for key in ("stride", "padding", "dilation")}
    try:
        if kind == "conv":
            built = Geometry.for_conv(
                given[1:],
                module.kernel_size,
                ndim=ndim,
                padding_mode=module.padding_mode,
                **options,
            )
        else:
            options["output_padding"] = _output_padding(module, given, out)
            built = Geometry.for_conv_transpose(given[1:], module.kernel_size, ndim=ndim, **options)
        for axis in built.axes:
            pixel_profiles(axis)  # refuses kernels that wrap onto themselves
    except NotImplementedError as error:
        remark, built = str(error), None
    return WeightLayer(name, kind, built, module.groups, shape, given, out, remark)


def _output_padding(module: Any, given: Shape, out: Shape) -> Shape:
    """Return the output padding of a call, which ``forward(..., output_size=)`` can override."""
    m = module
    axes = zip(given[1:], out[1:], m.kernel_size, m.stride, m.padding, m.dilation, strict=True)
    return tuple(o - ((h - 1) * s - 2 * p + d * (k - 1) + 1) for h, o, k, s, p, d in axes)
