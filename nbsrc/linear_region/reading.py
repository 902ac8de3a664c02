"""Reading a network as a sequence of affine maps and switches, or refusing it by name."""

from __future__ import annotations

import operator
from collections.abc import Iterator

from torch import nn

from nbsrc.linear_region.layers import described, layer_operation
from nbsrc.linear_region.operations import Affine
from nbsrc.linear_region.program import Program, Step
from nbsrc.linear_region.tracing import traced_steps

__all__ = ["read_network"]


def read_network(net: nn.Module) -> Program:
    """Read a network as steps.

    ``nn.Sequential`` is read directly. Other modules are read through ``torch.fx``: residual
    networks work as long as their forward uses nothing but supported layers, sums of two branches,
    ``relu`` and flattening.

    Args:
        net: The network. Neither its mode nor anything else of it is changed.

    Returns:
        The steps, with the weights as they are now.

    Raises:
        NotImplementedError: If a layer or operation is not supported, or has hooks.
        TypeError: If ``net`` is no module.
        ValueError: If batch norm, dropout or a parametrized layer is in training mode.
    """
    if not isinstance(net, nn.Module):
        raise TypeError(f"net must be a torch.nn.Module, got {type(net).__name__}")
    for name, module in net.named_modules():
        if module._forward_hooks or module._forward_pre_hooks:
            raise NotImplementedError(
                f"{described(name, module)} has hooks that may change a value"
            )
    if _is_chain(net):
        chain = list(_chain_layers(net, ""))
        steps = [Step(n, layer_operation(n, m), (i,)) for i, (n, m) in enumerate(chain)]
    else:
        steps = traced_steps(net)
    return Program(tuple(steps or [Step("(model)", Affine(*[operator.pos] * 3), (0,))]))


def _is_chain(module: nn.Module) -> bool:
    """Return whether a module is a Sequential with its own forward, or a layer of torch."""
    if isinstance(module, nn.Sequential):
        own = type(module).forward is nn.Sequential.forward
        return own and all(_is_chain(child) for child in module)
    return not any(True for _ in module.children()) and type(module).__module__.startswith("torch.")


def _chain_layers(module: nn.Module, name: str) -> Iterator[tuple[str, nn.Module]]:
    if not isinstance(module, nn.Sequential):
        yield name or "(model)", module
        return
    for key, child in module._modules.items():
        assert child is not None
        yield from _chain_layers(child, f"{name}.{key}" if name else key)
