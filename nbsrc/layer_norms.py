"""The norms of every layer of a network, as linear maps at the input size that they really see.

Source: Liang & Huang, Large Norms of CNN Layers Do Not Hurt Adversarial Robustness, AAAI 2021:
Theorem 1 for convolutions, the plain matrix norms for linear layers, Appendix B.2 for batch norm.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import nn
from torch.nn.utils import parametrize

from nbsrc.batch_norm import batch_norm_norm as batch_norm_norm
from nbsrc.bracket import Bracket
from nbsrc.layer_operators import NORM_NAMES, Measurement, kind_of, measure, order_of
from nbsrc.layer_trace import Calls, Example, Shape, model_preserved, traced_calls

__all__ = ["LayerNorm", "batch_norm_norm", "layer_norms", "to_rows"]


@dataclass(frozen=True)
class LayerNorm:
    """The norms of one layer at one input size. Not to be confused with ``torch.nn.LayerNorm``.

    Attributes:
        name: The layer's name in the network, ``"(model)"`` for the network itself.
        type: The module's class, without the wrapping of a parametrization.
        kind: ``"conv"``, ``"conv-transpose"``, ``"linear"``, ``"batch-norm"`` or ``"unknown"``.
        weight_shape: Shape of the weight in effect, None where there is none.
        geometry: Stride, padding and the like of convolutions, else empty.
        input_size: Spatial input size (for linear layers: the positions to which the layer is
            applied, batch dimension left out); None for a layer that was not called.
        calls: How often the traced forward called the layer with this geometry.
        groups: Number of groups of a convolution, else None.
        norms: ``"l1"``, ``"linf"`` and ``"fro"`` where asked for and defined.
        l2: Bracket of the l2 norm, where asked for and available.
        satisfies_assumption1: The paper's Assumption 1, for 2-D convolutions with zero padding and
            dilation 1 (the paper's setting up to groups), else None.
        remark: Why a norm is missing, and whatever else a reader of the row should know.
    """

    name: str
    type: str
    kind: str
    weight_shape: Shape | None = None
    geometry: dict[str, Any] = field(default_factory=dict)
    input_size: Shape | None = None
    calls: int = 0
    groups: int | None = None
    norms: dict[str, float] = field(default_factory=dict)
    l2: Bracket | None = None
    satisfies_assumption1: bool | None = None
    remark: str = ""


def layer_norms(
    model: nn.Module,
    example_input: Example,
    *,
    ords: Iterable[float | str] = (1, math.inf, "fro"),
    rtol: float = 1e-6,
) -> list[LayerNorm]:
    r"""The norms of every Conv, ConvTranspose, Linear and BatchNorm layer of a network.

    Each layer is taken without its bias, in eval mode, as the linear map from its whole input to
    its whole output for one example of a batch. Input sizes come from one traced forward in eval
    mode without gradients; afterwards the model (modes, hooks, buffers, attributes) and the random
    states are as they were. Hooks of the caller on the model do run.

    No layer is left out silently: a layer that the forward did not call, or of which the norms are
    not known (its own parameters or buffers in a module of another class, an overridden
    ``forward``), is listed with a remark. Modules without parameters and buffers (activations,
    pooling) are not layers here. A layer called with several input sizes is listed once for each.

    Args:
        model: The network.
        example_input: An input tensor, a sequence of tensors (several positional arguments), or
            the shape of an input, batch dimension included (zeros are used).
        ords: Norms wanted, of 1, 2, ``math.inf`` and ``"fro"``. 2 gives brackets and can be slow.
        rtol: Relative width at which the bracket of an l2 norm counts as closed.

    Returns:
        One record per layer and geometry, in the order of ``model.named_modules()``.

    Raises:
        TypeError: If ``model`` is no module or ``example_input`` none of the above.
        ValueError: If an order is unknown, a layer is lazy and not yet initialised, or a weight is
            NaN or infinite.

    Example:
        >>> model = nn.Sequential(nn.Conv2d(1, 1, 3, padding=1, bias=False), nn.ReLU())
        >>> _ = nn.init.ones_(model[0].weight)
        >>> layer_norms(model, (1, 1, 8, 8))[0].norms
        {'l1': 9.0, 'linf': 9.0, 'fro': 22.0}
    """
    wanted = tuple(order_of(value) for value in ords)
    if not isinstance(model, nn.Module):
        raise TypeError(f"model must be a torch.nn.Module, got {type(model).__name__}")
    with model_preserved(model):
        calls = traced_calls(model, example_input)
        records: list[LayerNorm] = []
        for module, names in _layers(model):
            records.extend(_layer_records(module, names, calls, wanted, rtol))
    return records


def to_rows(records: Sequence[LayerNorm]) -> list[dict[str, Any]]:
    """Flatten records into rows with the same keys, ready for JSON or a data frame.

    Args:
        records: The records to flatten.

    Returns:
        One dictionary per record: its fields, ``l1``, ``linf``, ``fro``, ``l2_lower`` and
        ``l2_upper`` (None where missing), tuples as lists; the geometry as one nested dictionary.
    """
    rows = []
    for r in records:
        row: dict[str, Any] = {
            "name": r.name,
            "type": r.type,
            "kind": r.kind,
            "weight_shape": None if r.weight_shape is None else list(r.weight_shape),
            "input_size": None if r.input_size is None else list(r.input_size),
            "geometry": {k: list(v) if isinstance(v, tuple) else v for k, v in r.geometry.items()},
            "groups": r.groups,
            "calls": r.calls,
            "satisfies_assumption1": r.satisfies_assumption1,
        }
        row.update({name: r.norms.get(name) for name in NORM_NAMES.values()})
        row["l2_lower"] = None if r.l2 is None else r.l2.lower
        row["l2_upper"] = None if r.l2 is None else r.l2.upper
        row["remark"] = r.remark
        rows.append(row)
    return rows


def _layers(model: nn.Module) -> Iterator[tuple[nn.Module, list[str]]]:
    """Yield the modules that hold parameters or buffers, each once with all its names."""
    names: dict[nn.Module, list[str]] = {}
    hidden: set[nn.Module] = set()
    for name, module in model.named_modules(remove_duplicate=False):
        names.setdefault(module, []).append(name or "(model)")
        if parametrize.is_parametrized(module):
            # Parametrizations compute a layer's weight; they are no layers of the network.
            hidden.update(module.parametrizations.modules())
    for module, aliases in names.items():
        tensors = [*module._parameters.values(), *module._buffers.values()]
        holds = any(tensor is not None for tensor in tensors) or parametrize.is_parametrized(module)
        # A batch norm without parameters and buffers is still a batch norm.
        if module not in hidden and (holds or kind_of(module) != "unknown"):
            yield module, aliases


def _layer_records(
    module: nn.Module,
    names: list[str],
    calls: Calls,
    ords: tuple[float | str, ...],
    rtol: float,
) -> Iterator[LayerNorm]:
    """Yield one record per geometry with which the layer was called.

    Raises:
        ValueError: If a weight is NaN or infinite; the message names the layer.
    """
    kind = kind_of(module)
    kind_name = parametrize.type_before_parametrizations(module).__name__
    shared = f"shared, also named {', '.join(names[1:])}" if len(names) > 1 else ""
    base: dict[str, Any] = {"name": names[0], "type": kind_name, "kind": kind}
    seen = calls.get(module, [])
    if kind == "unknown":
        yield LayerNorm(**base, calls=len(seen), remark=_joined(_unknown_reason(module), shared))
        return
    if not seen:
        empty = measure(module, None, (), rtol)
        remark = _joined("not called in the traced forward", shared)
        yield LayerNorm(**base, weight_shape=empty.weight_shape, groups=empty.groups, remark=remark)
        return
    found: list[tuple[Measurement, int]] = []
    for shapes in dict.fromkeys(seen):
        try:
            result = measure(module, shapes, ords, rtol)
        except ValueError as error:
            raise ValueError(f"layer {names[0]!r} ({kind_name}): {error}") from error
        count = seen.count(shapes)
        same = [i for i, (other, _) in enumerate(found) if other == result]
        if same:  # the calls differ in batch size only
            found[same[0]] = (result, found[same[0]][1] + count)
        else:
            found.append((result, count))
    for result, count in found:
        yield LayerNorm(
            **base,
            weight_shape=result.weight_shape,
            geometry=result.geometry,
            input_size=result.input_size,
            calls=count,
            groups=result.groups,
            norms=result.norms,
            l2=result.l2,
            satisfies_assumption1=result.satisfies_assumption1,
            remark=_joined(result.remark, shared),
        )


def _unknown_reason(module: nn.Module) -> str:
    """Return what makes a module unknown."""
    own = [f"parameter {n}" for n, p in module._parameters.items() if p is not None]
    own += [f"buffer {n}" for n, b in module._buffers.items() if b is not None]
    if parametrize.is_parametrized(module):
        own += [f"parametrized {n}" for n in module.parametrizations]  # type: ignore[union-attr]
    return f"norms not known for this class; it holds {', '.join(own) or 'nothing of its own'}"


def _joined(*remarks: str) -> str:
    """Return the remarks that are not empty as one."""
    return "; ".join(remark for remark in remarks if remark)
