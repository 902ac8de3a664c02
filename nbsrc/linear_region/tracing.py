"""Reading networks with a forward of their own, through torch.fx."""

from __future__ import annotations

import operator
from typing import Any

import torch
import torch.nn.functional as F
from torch import fx, nn

from nbsrc.linear_region.layers import SUPPORTED, layer_operation
from nbsrc.linear_region.operations import Affine, Operation, Rectifier, flatten
from nbsrc.linear_region.program import Step

__all__ = ["traced_steps"]


def traced_steps(net: nn.Module) -> list[Step]:
    """The steps of a module with a forward of its own.

    Args:
        net: The module.

    Returns:
        The steps.

    Raises:
        NotImplementedError: If the forward cannot be traced or uses something unsupported.
    """
    try:
        graph = fx.Tracer().trace(net)
    except (AttributeError, RuntimeError, TypeError, ValueError) as error:
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
                steps.append(Step("output", _unchanged(), (numbers[node.args[0]],)))
        elif not _is_size(node):
            operation, inputs = _node_operation(node, modules)
            _refuse_shared_overwriting(node, modules)
            steps.append(Step(str(node.target), operation, tuple(numbers[i] for i in inputs)))
            numbers[node] = len(steps)
    return steps


def _unchanged() -> Affine:
    return Affine(operator.pos, operator.pos, operator.pos)


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
        return layer_operation(str(node.target), modules[str(node.target)]), (args[0],)
    tensors = tuple(a for a in args if isinstance(a, fx.Node) and not _is_size(a))
    if node.target in _SUMS and len(args) == len(tensors) == 2 and not kwargs:
        return Affine(operator.add, operator.add, operator.add), tensors
    if len(tensors) == 1 and args[0] is tensors[0]:
        operation = _unary(node.target, args[1:], kwargs)
        if operation is not None:
            return operation, tensors
    raise NotImplementedError(
        f"operation {node.name!r} ({node.op} {node.target}) is not supported; "
        f"supported: {SUPPORTED}"
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
