"""Forward passes of a penalty that leave no trace on the model, and derivatives with a graph."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

_BATCH_NORM = nn.modules.batchnorm._BatchNorm


@contextmanager
def evaluating(model: nn.Module, *, batch_statistics: bool = False) -> Iterator[None]:
    """Put the model into eval mode with buffers of its own, and back into the state it had.

    The forward passes see copies of the buffers. The true ones are not even written with equal
    values, which would invalidate graphs that hold them.

    Args:
        model: The network.
        batch_statistics: Whether batch norm layers that are training stay so, and normalise by
            the batch. Dropout never draws.
    """
    modules = list(model.modules())
    modes = [module.training for module in modules]
    tables = [dict(module._buffers) for module in modules]
    copies: dict[int, Tensor] = {}
    try:
        for module in modules:
            module.training = (
                batch_statistics and module.training and isinstance(module, _BATCH_NORM)
            )
            for name, buffer in module._buffers.items():
                if buffer is not None:
                    if id(buffer) not in copies:
                        copies[id(buffer)] = buffer.detach().clone()
                    module._buffers[name] = copies[id(buffer)]
        yield
    finally:
        for module, mode, table in zip(modules, modes, tables, strict=True):
            module.training = mode
            module._buffers.clear()
            module._buffers.update(table)


def leaf(x: Tensor) -> Tensor:
    """Return the inputs as a leaf that collects derivatives."""
    return x.detach().clone().requires_grad_()


def checked_logits(logits: object, x: Tensor) -> Tensor:
    """Return the network's output if it is ``[batch, K]`` with at least two classes.

    Raises:
        ValueError: If it is not.
    """
    if not isinstance(logits, Tensor) or logits.ndim != 2 or len(logits) != len(x):
        shape = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
        raise ValueError(f"the model's output must be [{len(x)}, classes], got {shape}")
    if logits.shape[1] < 2:
        raise ValueError(f"the model must have at least 2 classes, got {logits.shape[1]}")
    return logits


def logits_and_jacobian(
    model: nn.Module, x: Tensor, *, batch_statistics: bool = False
) -> tuple[Tensor, Tensor]:
    """Logits ``[batch, K]`` and Jacobians ``[batch, K, n]``, by one batched backward pass.

    With the batch's statistics the logits depend on all images; a Jacobian is then that of the sum
    of the batch's logits in one image.

    Returns:
        Both, with a graph.
    """
    with evaluating(model, batch_statistics=batch_statistics), torch.enable_grad():
        inputs = leaf(x)
        logits = checked_logits(model(inputs), x)
        count = logits.shape[1]
        seeds = torch.eye(count, dtype=logits.dtype, device=logits.device).unsqueeze(1)
        (slopes,) = torch.autograd.grad(
            logits,
            inputs,
            seeds.expand(count, *logits.shape),
            create_graph=True,
            materialize_grads=True,
            is_grads_batched=True,
        )
    return logits, slopes.flatten(2).transpose(0, 1)


def input_gradient(
    model: nn.Module,
    x: Tensor,
    value: Callable[[Tensor], Tensor],
    *,
    batch_statistics: bool = False,
) -> tuple[Tensor, Tensor]:
    """The input gradients ``[batch, n]`` of a sum over examples, with a graph, and the inputs."""
    with evaluating(model, batch_statistics=batch_statistics), torch.enable_grad():
        inputs = leaf(x)
        total = value(checked_logits(model(inputs), x))
        (slope,) = torch.autograd.grad(total, inputs, create_graph=True, materialize_grads=True)
    return slope.flatten(1), inputs


def directions(count: int, size: int, like: Tensor, generator: torch.Generator) -> Tensor:
    """Uniform unit vectors ``[count, size]``; drawn on the generator's device."""
    drawn = torch.randn(
        count, size, generator=generator, dtype=torch.float64, device=generator.device
    )
    unit: Tensor = drawn / torch.linalg.vector_norm(drawn, dim=1, keepdim=True)
    return unit.to(like)
