"""What every attack asks of its arguments, and how it leaves the network as it was."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from nbsrc.layer_trace import model_preserved

__all__ = [
    "check_counts",
    "check_images",
    "check_numbers",
    "check_seed",
    "predictions",
    "under_attack",
]


def check_images(
    net: nn.Module, x: Tensor, y: Tensor, bounds: tuple[float, float] | None = (0.0, 1.0)
) -> None:
    """Refuse what is no batch of images between the bounds with labels.

    Args:
        net: The network.
        x: ``[batch, *input]``.
        y: ``[batch]``.
        bounds: Smallest and largest allowed value, None for none.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If shapes do not fit, or values are not finite or outside the bounds.
    """
    if not isinstance(net, nn.Module):
        raise TypeError(f"net must be a torch.nn.Module, got {type(net).__name__}")
    if not isinstance(x, Tensor) or x.dtype not in {torch.float32, torch.float64}:
        raise TypeError(f"x must be a float32 or float64 tensor, got {getattr(x, 'dtype', x)!r}")
    if not isinstance(y, Tensor) or y.dtype != torch.int64:
        raise TypeError(f"y must be a tensor of int64 labels, got {getattr(y, 'dtype', y)!r}")
    if x.ndim < 2 or x.numel() == 0 or y.shape != x.shape[:1]:
        raise ValueError(
            f"x must be [batch, *input] with labels [batch], got {tuple(x.shape)} and "
            f"{tuple(y.shape)}"
        )
    low, high = (-torch.inf, torch.inf) if bounds is None else bounds
    if not bool(torch.isfinite(x).all()) or float(x.min()) < low or float(x.max()) > high:
        raise ValueError(
            f"x must lie in [{low:g}, {high:g}] (put a normalisation into the network), got values "
            f"from {float(x.min()):.3g} to {float(x.max()):.3g}"
        )


def check_counts(**counts: int) -> None:
    """Refuse what is no positive integer.

    Args:
        **counts: The numbers by argument.

    Raises:
        TypeError: If one is no integer.
        ValueError: If one is less than 1.
    """
    for name, count in counts.items():
        if isinstance(count, bool) or not isinstance(count, int):
            raise TypeError(f"{name} must be an integer, got {count!r}")
        if count < 1:
            raise ValueError(f"{name} must be at least 1, got {count}")


def check_numbers(**numbers: float) -> None:
    """Refuse what is no number.

    Args:
        **numbers: The numbers by argument.

    Raises:
        TypeError: If one is none.
    """
    for name, number in numbers.items():
        if isinstance(number, bool) or not isinstance(number, int | float):
            raise TypeError(f"{name} must be a number, got {number!r}")


def check_seed(seed: int) -> int:
    """Refuse what is no seed.

    Args:
        seed: The seed.

    Returns:
        The seed.

    Raises:
        TypeError: If it is no integer.
        ValueError: If it is negative.
    """
    if isinstance(seed, bool) or not isinstance(seed, int):
        raise TypeError(f"seed must be an integer, got {seed!r}")
    if seed < 0:
        raise ValueError(f"seed must be at least 0, got {seed}")
    return seed


@contextmanager
def under_attack(net: nn.Module) -> Iterator[None]:
    """Evaluation mode, no gradients for parameters, and everything as before afterwards.

    Restored: modes, buffers and random states (:func:`nbsrc.layer_trace.model_preserved`), each
    parameter's ``requires_grad`` and ``grad``, and the tracer that AutoAttack's check of dynamic
    defences would remove.

    Args:
        net: The network.

    Yields:
        Nothing.
    """
    saved = [(p, p.requires_grad, p.grad) for p in net.parameters()]
    tracer = sys.gettrace()
    with model_preserved(net):
        try:
            for parameter, _, _ in saved:
                parameter.requires_grad_(False)
            yield
        finally:
            sys.settrace(tracer)
            for parameter, wanted, gradient in saved:
                parameter.requires_grad_(wanted)
                parameter.grad = gradient


def predictions(net: nn.Module, x: Tensor, batch_size: int = 1000) -> Tensor:
    """The predicted classes; the network must be in evaluation mode.

    Args:
        net: The network.
        x: ``[batch, *input]``.
        batch_size: Points per forward pass.

    Returns:
        ``[batch]``.

    Raises:
        ValueError: If the network does not give ``[batch, classes]`` with at least two classes.
    """
    with torch.no_grad():
        logits = torch.cat([net(part) for part in x.split(batch_size)])
    if logits.ndim != 2 or logits.shape[1] < 2:
        raise ValueError(f"net must give [batch, at least 2 classes], got {tuple(logits.shape)}")
    return logits.argmax(1)
