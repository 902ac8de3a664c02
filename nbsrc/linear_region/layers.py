"""From layers of torch to operations; what is not known is refused by name."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrize

from nbsrc.linear_region.operations import (
    Affine,
    MaxPool,
    Operation,
    Rectifier,
    Switch,
    check_image,
    flatten,
)

__all__ = ["SUPPORTED", "described", "layer_operation"]

#: What networks may be made of, for messages.
SUPPORTED = (
    "Linear, Conv2d, ReLU, LeakyReLU, Flatten, AvgPool2d, AdaptiveAvgPool2d, MaxPool2d, "
    "ZeroPad2d/3d, BatchNorm1d/2d and Dropout in eval mode, Identity, sums of two branches"
)


def described(name: str, module: nn.Module) -> str:
    """A layer's name and class for messages.

    Args:
        name: Its name in the network, empty for the network itself.
        module: The layer.

    Returns:
        Words.
    """
    return f"layer {name or '(model)'!r} ({type(module).__name__})"


def layer_operation(name: str, module: nn.Module) -> Operation:
    """The operation of a layer, its weights read now.

    Args:
        name: Its name in the network.
        module: The layer.

    Returns:
        The operation.

    Raises:
        NotImplementedError: If it is not supported.
        ValueError: If its mode makes it random or mixes examples.
    """
    if parametrize.is_parametrized(module) and module.training:
        raise ValueError(
            f"{described(name, module)} is parametrized and in training mode: call eval"
        )
    mro = type(module).__mro__
    kinds = (c for c in mro if issubclass(c, nn.Module) and c.__module__.startswith("torch.nn.mod"))
    if type(module).forward is next(kinds).forward:  # else a subclass does something of its own
        try:
            operation = _switch(module) or _affine_layer(module)
        except (ValueError, NotImplementedError) as error:
            raise type(error)(f"{described(name, module)} {error}") from None
        if operation is not None:
            return operation
    raise NotImplementedError(f"{described(name, module)} is not supported; supported: {SUPPORTED}")


def _switch(module: nn.Module) -> Switch | None:
    if isinstance(module, nn.ReLU):
        return Rectifier()
    if isinstance(module, nn.LeakyReLU):
        return Rectifier(float(module.negative_slope))
    if not isinstance(module, nn.MaxPool2d):
        return None
    if module.return_indices:
        raise NotImplementedError("returns indices, which are no piecewise affine output")
    pairs = [
        (v, v) if isinstance(v, int) else (int(v[0]), int(v[1]))
        for v in (module.kernel_size, module.stride, module.padding, module.dilation)
    ]
    return MaxPool(pairs[0], pairs[1], pairs[2], pairs[3], module.ceil_mode)


def _affine_layer(module: nn.Module) -> Affine | None:
    """The affine map of a layer, its weights read now and detached.

    Args:
        module: A layer whose ``forward`` is that of its torch class.

    Returns:
        The operation, or None if the layer is not one of the known affine ones.

    Raises:
        ValueError: If batch norm or dropout is in training mode.
        NotImplementedError: If batch norm has no running statistics.
    """
    if isinstance(module, nn.Linear):
        weight, bias = module.weight.detach(), _detached(module.bias)
        return Affine(
            lambda x: F.linear(x, weight, bias),
            lambda x: F.linear(x, weight),
            lambda x: F.linear(x, weight.square()),
        )
    if isinstance(module, nn.Conv2d):
        return _convolution(module)
    if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
        return _batch_norm(module)
    if isinstance(module, (nn.AvgPool2d, nn.AdaptiveAvgPool2d)):
        pool = module

        def average(value: Tensor) -> Tensor:
            check_image(value, type(pool).__name__)
            averaged: Tensor = pool.forward(value)
            return averaged

        return Affine(average, average, average)  # weights are at most 1
    if isinstance(module, (nn.ZeroPad2d, nn.ZeroPad3d)) and module.value == 0:
        return _zero_padding(module)
    if isinstance(module, nn.Dropout) and module.training and module.p > 0:
        raise ValueError("is in training mode: it is random; call eval() before")
    if isinstance(module, (nn.Identity, nn.Dropout)):
        return Affine(*[lambda x: x] * 3)
    return flatten(module.start_dim, module.end_dim) if isinstance(module, nn.Flatten) else None


def _detached(parameter: Tensor | None) -> Tensor | None:
    return None if parameter is None else parameter.detach()


def _convolution(module: nn.Conv2d) -> Affine:
    weight, bias = module.weight.detach(), _detached(module.bias)

    def convolve(value: Tensor, kernel: Tensor, constant: Tensor | None = None) -> Tensor:
        check_image(value, "Conv2d")
        convolved: Tensor = module._conv_forward(value, kernel, constant)  # every padding mode
        return convolved

    return Affine(
        lambda x: convolve(x, weight, bias),
        lambda x: convolve(x, weight),
        lambda x: convolve(x, weight.square()),
    )


def _zero_padding(module: nn.ZeroPad2d | nn.ZeroPad3d) -> Affine:
    def pad(value: Tensor) -> Tensor:
        check_image(value, type(module).__name__)  # ZeroPad3d then adds channels
        return F.pad(value, module.padding)

    return Affine(pad, pad, pad)


def _batch_norm(module: nn.BatchNorm1d | nn.BatchNorm2d) -> Affine:
    if module.training:
        raise ValueError("is in training mode: it mixes examples; call eval() before")
    if module.running_mean is None or module.running_var is None:
        raise NotImplementedError("has no running statistics: it mixes examples in eval mode too")
    mean, variance = module.running_mean.detach(), module.running_var.detach()
    scale = torch.rsqrt(variance + module.eps)
    if module.weight is not None:
        scale = scale * module.weight.detach()
    shift = -mean * scale
    if module.bias is not None:
        shift = shift + module.bias.detach()

    def apply(value: Tensor, factor: Tensor, constant: bool) -> Tensor:
        module._check_input_dim(value)
        shape = (-1, *[1] * (value.ndim - 2))
        scaled = value * factor.reshape(shape)
        return scaled + shift.reshape(shape) if constant else scaled

    return Affine(
        lambda x: apply(x, scale, True),
        lambda x: apply(x, scale, False),
        lambda x: apply(x, scale.square(), False),
    )
