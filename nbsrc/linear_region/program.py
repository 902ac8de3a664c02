"""Reading a network as a sequence of affine maps and switches, or refusing it by name."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, fx, nn
from torch.nn.utils import parametrize

from nbsrc.linear_region.operations import (
    Affine,
    MaxPool,
    Operation,
    Rectifier,
    Switch,
    affine_layer,
    flatten,
)

__all__ = ["Program", "Step", "read_network"]

_SUPPORTED = (
    "Linear, Conv2d, ReLU, LeakyReLU, Flatten, AvgPool2d, AdaptiveAvgPool2d, MaxPool2d, "
    "BatchNorm1d/2d and Dropout in eval mode, Identity, sums of two branches"
)


@dataclass(frozen=True)
class Step:
    """One operation of a network.

    Attributes:
        name: The layer's name in the network.
        operation: What is done.
        inputs: Numbers of the steps whose results are used; 0 is the network's input.
    """

    name: str
    operation: Operation
    inputs: tuple[int, ...]


@dataclass(frozen=True)
class Program:
    """A network as steps; step number i (from 1) computes value i, the last one the output.

    Attributes:
        steps: The steps in the order of execution.
    """

    steps: tuple[Step, ...]

    @property
    def switches(self) -> tuple[Step, ...]:
        """The steps that are ReLU, leaky ReLU or max-pool."""
        return tuple(step for step in self.steps if not isinstance(step.operation, Affine))

    def run(
        self,
        x: Tensor,
        gate: Callable[[int, Switch, Tensor], Tensor],
        *,
        constant: bool = True,
    ) -> Tensor:
        """Run the network with gates of the caller's choice.

        Args:
            x: ``[batch, *input]``.
            gate: Called with the number of the switch, the switch and what it sees; returns the
                gate to apply.
            constant: False to leave out all biases: the linear part of the affine map.

        Returns:
            The output, flattened to ``[batch, outputs]``.
        """
        last = {i: n for n, step in enumerate(self.steps, 1) for i in step.inputs}
        values, switches = {0: x}, 0
        for number, step in enumerate(self.steps, 1):
            given = [values[i] for i in step.inputs]
            if isinstance(step.operation, Affine):
                apply = step.operation.full if constant else step.operation.linear
                values[number] = apply(*given)
            else:
                chosen = gate(switches, step.operation, given[0])
                values[number] = step.operation.apply(given[0], chosen)
                switches += 1
            for i in step.inputs:  # memory: drop what no later step reads
                if last[i] == number:
                    values.pop(i, None)
        return values[len(self.steps)].flatten(1)


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
            raise NotImplementedError(f"{_called(name, module)} has hooks that may change a value")
    if _is_chain(net):
        chain = list(_chain_layers(net, ""))
        steps = [Step(n, _layer(n, m), (i,)) for i, (n, m) in enumerate(chain)]
    else:
        steps = _traced_steps(net)
    return Program(tuple(steps or [Step("(model)", Affine(_same, _same), (0,))]))


def _same(x: Tensor) -> Tensor:
    return x


def _called(name: str, module: nn.Module) -> str:
    return f"layer {name or '(model)'!r} ({type(module).__name__})"


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


def _layer(name: str, module: nn.Module) -> Operation:
    """Return the operation of a layer.

    Raises:
        NotImplementedError: If it is not supported.
        ValueError: If its mode makes it random or mixes examples.
    """
    if parametrize.is_parametrized(module) and module.training:
        raise ValueError(f"{_called(name, module)} is parametrized and in training mode: call eval")
    mro = type(module).__mro__
    kinds = (c for c in mro if issubclass(c, nn.Module) and c.__module__.startswith("torch.nn.mod"))
    if type(module).forward is next(kinds).forward:  # else a subclass does something of its own
        try:
            operation = _switch(module) or affine_layer(module)
        except (ValueError, NotImplementedError) as error:
            raise type(error)(f"{_called(name, module)} {error}") from None
        if operation is not None:
            return operation
    raise NotImplementedError(f"{_called(name, module)} is not supported; supported: {_SUPPORTED}")


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


def _traced_steps(net: nn.Module) -> list[Step]:
    """Return the steps of a module with a forward of its own.

    Raises:
        NotImplementedError: If the forward cannot be traced or uses something unsupported.
    """
    try:
        graph = fx.Tracer().trace(net)
    except (fx.proxy.TraceError, TypeError, AttributeError) as error:
        raise NotImplementedError(
            f"the forward of {type(net).__name__} cannot be traced: {error}"
        ) from error
    modules, numbers, steps = dict(net.named_modules()), dict[fx.Node, int](), list[Step]()
    for node in graph.nodes:
        if node.op == "placeholder":
            if numbers:
                raise NotImplementedError("networks with several inputs are not supported")
            numbers[node] = 0
        elif node.op == "output":
            if node.args[0] not in numbers:
                raise NotImplementedError("the network must return one tensor")
            if numbers[node.args[0]] != len(steps):  # a later step is not used
                steps.append(Step("output", Affine(_same, _same), (numbers[node.args[0]],)))
        elif not _is_size(node):
            operation, inputs = _node_operation(node, modules)
            _refuse_shared_overwriting(node, modules)
            steps.append(Step(str(node.target), operation, tuple(numbers[i] for i in inputs)))
            numbers[node] = len(steps)
    return steps


def _is_size(node: fx.Node) -> bool:
    """Return whether a node is ``x.size(0)``, which only a flattening view may use."""
    return node.op == "call_method" and node.target == "size" and tuple(node.args[1:]) == (0,)


def _node_operation(
    node: fx.Node, modules: dict[str, nn.Module]
) -> tuple[Operation, tuple[fx.Node, ...]]:
    """Return what a node does and the nodes it reads.

    Raises:
        NotImplementedError: If it is not supported.
    """
    args, kwargs = node.args, dict(node.kwargs)
    if node.op == "call_module" and len(args) == 1 and isinstance(args[0], fx.Node) and not kwargs:
        return _layer(str(node.target), modules[str(node.target)]), (args[0],)
    tensors = tuple(a for a in args if isinstance(a, fx.Node) and not _is_size(a))
    if node.target in _SUMS and len(args) == len(tensors) == 2 and not kwargs:
        return Affine(operator.add, operator.add), tensors
    if len(tensors) == 1 and args[0] is tensors[0]:
        operation = _unary(node.target, args[1:], kwargs)
        if operation is not None:
            return operation, tensors
    raise NotImplementedError(
        f"operation {node.name!r} ({node.op} {node.target}) is not supported; "
        f"supported: {_SUPPORTED}"
    )


def _unary(target: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Operation | None:
    """Return a function or method of one tensor as an operation, None if it is not known."""
    if target in {torch.flatten, "flatten"}:
        names = dict(zip(("start_dim", "end_dim"), args, strict=False)) | kwargs
        return flatten(names.get("start_dim", 0), names.get("end_dim", -1))
    if target in {"view", "reshape"} and len(args) == 2 and args[1] == -1 and not kwargs:
        return flatten(1, -1) if isinstance(args[0], fx.Node) else None
    kwargs.pop("inplace", None)
    if target in {F.relu, torch.relu, "relu", torch.relu_, "relu_"} and not args and not kwargs:
        return Rectifier()
    if target is F.leaky_relu and set(kwargs) <= {"negative_slope"} and len(args) <= 1:
        slope: float = args[0] if args else kwargs.get("negative_slope", 0.01)
        return Rectifier(float(slope))
    return None


_SUMS = {operator.add, operator.iadd, torch.add, "add", "add_"}
_OVERWRITING = {operator.iadd, torch.relu_, "relu_", "add_"}


def _refuse_shared_overwriting(node: fx.Node, modules: dict[str, nn.Module]) -> None:
    """Refuse an in-place operation on a value that something else reads too.

    Raises:
        NotImplementedError: If that is so; what the other reader sees depends on the order.
    """
    module = modules.get(str(node.target)) if node.op == "call_module" else None
    own = bool(node.kwargs.get("inplace", False)) or node.target in _OVERWRITING
    if not (own or getattr(module, "inplace", False)):
        return
    value = node.args[0]
    while isinstance(value, fx.Node):
        if len([user for user in value.users if not _is_size(user)]) > 1:
            raise NotImplementedError(
                f"operation {node.name!r} works in place on a value that is read elsewhere too"
            )
        value = value.args[0] if _is_view(value, modules) else None


def _is_view(node: fx.Node, modules: dict[str, nn.Module]) -> bool:
    """Return whether a result may share the memory of its first input."""
    if node.op == "call_module":
        module = modules[str(node.target)]
        views = (nn.Flatten, nn.Identity, nn.Dropout)
        return isinstance(module, views) or bool(getattr(module, "inplace", False))
    views_or_own = {torch.flatten, "flatten", "view", "reshape", *_OVERWRITING}
    return node.target in views_or_own or bool(node.kwargs.get("inplace", False))
