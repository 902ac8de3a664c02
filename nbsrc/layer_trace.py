"""Which modules of a network are called, and with what shapes: one forward that leaves no trace."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import chain
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

__all__ = ["Calls", "Example", "Shape", "model_preserved", "traced_calls"]

Shape: TypeAlias = tuple[int, ...]
#: For each module the (input shape, output shape) of its calls, in the order of execution.
Calls: TypeAlias = dict[nn.Module, list[tuple[Shape, Shape]]]
Example: TypeAlias = Tensor | Sequence[int] | Sequence[Tensor]


@contextmanager
def model_preserved(model: nn.Module) -> Iterator[None]:
    """Put every module in eval mode for a while, then restore the model exactly.

    Restored, also when the body raises: each module's own ``training`` flag and attributes, hooks,
    buffers (replaced or changed in place), and the random states of torch (CPU, and every CUDA
    device that holds a parameter), numpy and Python. The body runs under ``torch.no_grad``.

    Args:
        model: The network to preserve.

    Yields:
        Nothing; the model is in eval mode.
    """
    modules = list(model.modules())
    attributes = [dict(vars(module)) for module in modules]
    tables = [_copied_tables(module) for module in modules]
    buffers = [(b, b.detach().clone()) for b in _unique_buffers(modules)]
    devices = sorted({p.device.index for p in model.parameters() if p.device.type == "cuda"})
    numpy_state, python_state = np.random.get_state(), random.getstate()  # noqa: NPY002
    with ExitStack() as stack:
        stack.enter_context(torch.random.fork_rng(devices))
        stack.enter_context(torch.no_grad())
        try:
            for module in modules:
                module.training = False
            yield
        finally:
            np.random.set_state(numpy_state)  # noqa: NPY002
            random.setstate(python_state)
            for module, saved, saved_tables in zip(modules, attributes, tables, strict=True):
                _restore_attributes(module, saved, saved_tables)
            for buffer, copy in buffers:
                # Writing an unchanged buffer would invalidate graphs that hold it.
                if not _same(buffer, copy):
                    buffer.copy_(copy)


def traced_calls(model: nn.Module, example: Example) -> Calls:
    """Run one forward and return the shapes with which each module was called.

    Call it inside :func:`model_preserved`, which puts back what the forward changes.

    Args:
        model: The network.
        example: An input tensor, a tuple or list of tensors (several positional arguments), or the
            shape of an input, batch dimension included (zeros are used).

    Returns:
        The calls of every module that was called with a tensor and returned one.

    Raises:
        TypeError: If ``model`` is no module or ``example`` is none of the above.
        ValueError: If a layer is lazy and not yet initialised.
    """
    if not isinstance(model, nn.Module):
        raise TypeError(f"model must be a torch.nn.Module, got {type(model).__name__}")
    _refuse_lazy(model)
    arguments = _example_arguments(model, example)
    calls: Calls = defaultdict(list)
    handles = [m.register_forward_hook(_recorder(calls), with_kwargs=True) for m in model.modules()]
    try:
        model(*arguments)
    finally:
        for handle in handles:
            handle.remove()
    return dict(calls)


def _recorder(
    calls: Calls,
) -> Callable[[nn.Module, tuple[Any, ...], dict[str, Any], Any], None]:
    """Return a forward hook that appends the shapes of one call."""

    def record(
        module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any
    ) -> None:
        given = args[0] if args else kwargs.get("input")
        if isinstance(given, Tensor) and isinstance(output, Tensor):
            calls[module].append((tuple(given.shape), tuple(output.shape)))

    return record


def _example_arguments(model: nn.Module, example: Example) -> tuple[Tensor, ...]:
    """Return the positional arguments of the traced forward.

    Raises:
        TypeError: If ``example`` is not what :func:`traced_calls` allows.
    """
    if isinstance(example, Tensor):
        return (example,)
    entries: list[object] = list(example) if isinstance(example, list | tuple | torch.Size) else []
    tensors = [entry for entry in entries if isinstance(entry, Tensor)]
    if tensors and len(tensors) == len(entries):
        return tuple(tensors)
    sizes = [entry for entry in entries if type(entry) is int]
    if not sizes or len(sizes) != len(entries) or min(sizes) < 1:
        raise TypeError(
            "example_input must be a tensor, a tuple or list of tensors, or a shape of positive "
            f"integers with its batch dimension, got {example!r}"
        )
    own = chain(model.parameters(), model.buffers())
    first = next((tensor for tensor in own if tensor.is_floating_point()), torch.empty(0))
    return (torch.zeros(sizes, dtype=first.dtype, device=first.device),)


def _refuse_lazy(model: nn.Module) -> None:
    """Refuse layers without weights: a traced forward would create them.

    Raises:
        ValueError: If a parameter or buffer is not initialised.
    """
    for name, module in model.named_modules():
        own = [*module._parameters.values(), *module._buffers.values()]
        if any(entry is not None and is_lazy(entry) for entry in own):
            raise ValueError(
                f"model must be initialised, but layer {name or '(model)'!r} "
                f"({type(module).__name__}) has no weights yet: call the model once before"
            )


def _unique_buffers(modules: Sequence[nn.Module]) -> list[Tensor]:
    """Return every initialised buffer once."""
    found = (b for m in modules for b in m._buffers.values() if b is not None and not is_lazy(b))
    return list({id(b): b for b in found}.values())


def _same(buffer: Tensor, copy: Tensor) -> bool:
    """Return whether two tensors hold the same values, NaN equal to NaN."""
    return torch.equal(buffer, copy) or bool(torch.isclose(buffer, copy, 0, 0, True).all())


def _copied_tables(module: nn.Module) -> dict[str, dict[str, Any]]:
    """Return copies of a module's own dictionaries: parameters, buffers, submodules and hooks."""
    return {key: value.copy() for key, value in vars(module).items() if isinstance(value, dict)}


def _restore_attributes(
    module: nn.Module, saved: dict[str, Any], tables: dict[str, dict[str, Any]]
) -> None:
    """Give a module the attributes and the contents of its dictionaries that it had."""
    current = vars(module)
    current.clear()
    current.update(saved)
    for key, table in tables.items():
        current[key].clear()
        current[key].update(table)
