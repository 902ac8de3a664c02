"""Proofs about one given network, by its weights and not by evaluating it."""

from __future__ import annotations

from fractions import Fraction

import torch
from torch import Tensor, nn

from nbsrc.constructions.inflate import leaf_modules

__all__ = ["proves_same_function", "proves_zero"]

Row = tuple[tuple[Fraction, ...], Fraction]  # coefficients of the distinct units, and the bias
_ZERO = -1


def proves_zero(network: nn.Sequential) -> bool:
    """Prove that a small network of ``Linear`` and ``ReLU`` is 0 for every input.

    Two facts are followed through the layers, in exact arithmetic: which units are 0 for every
    input (no weight left, or only weights <= 0 on units that are never negative), and which units
    are equal (their weights then add up).

    Args:
        network: The network; every unit's weights become fractions, so it should be small.

    Returns:
        True if the network is 0 on all of its inputs. False says that this proof fails.

    Raises:
        NotImplementedError: If a module is neither ``Linear`` nor ``ReLU``.

    Example:
        >>> network = nn.Sequential(nn.Linear(1, 1), nn.ReLU(), nn.Linear(1, 1))
        >>> for parameter, value in zip(network.parameters(), (3.0, 0.0, -2.0, 0.0)):
        ...     _ = nn.init.constant_(parameter, value)
        >>> proves_zero(network), proves_zero(network.append(nn.ReLU()))
        (False, True)
    """
    unit_of: list[int] | None = None  # for every unit the number of its function, or _ZERO
    rows: dict[Row, int] = {}
    nonnegative = False  # whether the functions that enter `rows` are
    entered = False
    for path, module in leaf_modules(network):
        if isinstance(module, nn.Linear):
            if unit_of is None:
                unit_of = list(range(module.in_features))
            nonnegative, entered = entered, False
            rows = {}
            unit_of = [_number(row, rows) for row in _collected(module, unit_of)]
        elif isinstance(module, nn.ReLU):
            if nonnegative:
                gone = {number for row, number in rows.items() if _never_positive(row)}
                unit_of = [_ZERO if unit in gone else unit for unit in unit_of or []]
            entered = True
        else:
            raise NotImplementedError(
                f"module {path!r} of type {type(module).__name__} is neither Linear nor ReLU"
            )
    return unit_of is not None and all(unit == _ZERO for unit in unit_of)


def _collected(layer: nn.Linear, unit_of: list[int]) -> list[Row]:
    """Return each row with the weights of equal units added up, those of zero units left out."""
    functions = max(unit_of, default=_ZERO) + 1
    bias = layer.bias.tolist() if layer.bias is not None else [0.0] * layer.out_features
    rows: list[Row] = []
    for weights, constant in zip(layer.weight.tolist(), bias, strict=True):
        sums = [Fraction(0)] * functions
        for unit, weight in zip(unit_of, weights, strict=True):
            if unit != _ZERO and weight:
                sums[unit] += Fraction(weight)
        rows.append((tuple(sums), Fraction(constant)))
    return rows


def _number(row: Row, rows: dict[Row, int]) -> int:
    """Return the number of a row's function: the same for equal rows, ``_ZERO`` for none."""
    if not row[1] and not any(row[0]):
        return _ZERO
    return rows.setdefault(row, len(rows))


def _never_positive(row: Row) -> bool:
    """Return whether a combination of non-negative functions is never positive."""
    return row[1] <= 0 and all(weight <= 0 for weight in row[0])


def proves_same_function(network: nn.Sequential, inflated: nn.Sequential) -> bool:
    """Prove that a network with additional units computes the same function, in evaluation mode.

    The first units of every layer must have the first network's weights, bit for bit. A weight
    from an additional unit to one of them is allowed only if that unit is always 0: its incoming
    weights are 0 or come from such units, and so are its bias and its batch norm's mean and bias.

    Args:
        network: The network.
        inflated: What :func:`nbsrc.constructions.inflate_norms` returned for it.

    Returns:
        True if the functions agree over the real numbers. False says that this proof fails.

    Raises:
        NotImplementedError: If a module with parameters is applied twice.

    Example:
        >>> from nbsrc.constructions import inflate_norms
        >>> network = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
        >>> proves_same_function(network, inflate_norms(network, 1e6))
        True
    """
    before, after = list(leaf_modules(network)), list(leaf_modules(inflated))
    if [type(m) for _, m in before] != [type(m) for _, m in after]:
        return False
    silent = torch.zeros(0, dtype=torch.bool)  # which of the additional units are always 0
    for (_, old), (_, new) in zip(before, after, strict=True):
        if isinstance(old, nn.Linear | nn.Conv2d) and isinstance(new, nn.Linear | nn.Conv2d):
            found = _silent_after_layer(old, new, silent)
        elif isinstance(old, nn.BatchNorm1d | nn.BatchNorm2d):
            found = _silent_after_normalisation(old, new, silent)
        else:  # nothing to learn here, so what is printed is all there is
            found = silent if repr(old) == repr(new) else None
        if found is None:
            return False
        silent = found
    return len(silent) == 0


def _silent_after_layer(
    old: nn.Linear | nn.Conv2d, new: nn.Linear | nn.Conv2d, silent: Tensor
) -> Tensor | None:
    """Return which additional outputs are always 0, or None if the first ones may differ."""
    outputs, inputs = old.weight.shape[:2]
    bias = new.bias if new.bias is not None else new.weight.new_zeros(len(new.weight))
    expected = old.bias if old.bias is not None else torch.zeros_like(bias[:outputs])
    added = new.weight.shape[1] - inputs
    same = torch.equal(new.weight[:outputs, :inputs], old.weight)
    if not same or not torch.equal(bias[:outputs], expected) or _options(old) != _options(new):
        return None
    if added and (not len(silent) or added % len(silent)):
        return None
    heard = ~silent.repeat_interleave(added // len(silent)) if added else silent[:0]
    incoming = new.weight[:, inputs:][:, heard].flatten(1)
    if bool(incoming[:outputs].any()):
        return None
    own = new.weight[outputs:, :inputs].flatten(1)
    result: Tensor = ~(own.any(dim=1) | incoming[outputs:].any(dim=1) | (bias[outputs:] != 0))
    return result


def _options(layer: nn.Linear | nn.Conv2d) -> tuple[object, ...]:
    """Return what a layer does besides its weights."""
    if isinstance(layer, nn.Linear):
        return ()
    options = (layer.stride, layer.padding, layer.dilation, layer.groups, layer.padding_mode)
    return (layer.kernel_size, *options)


def _silent_after_normalisation(old: nn.Module, new: nn.Module, silent: Tensor) -> Tensor | None:
    """Return which additional channels are still 0, or None if the first ones may differ."""
    first, second = old.state_dict(), new.state_dict()
    if getattr(old, "eps", None) != getattr(new, "eps", None) or first.keys() != second.keys():
        return None
    size = getattr(new, "num_features", 0) - getattr(old, "num_features", 0)
    if (size and not len(silent)) or (len(silent) and size % len(silent)):
        return None
    silent = silent.repeat_interleave(size // len(silent)) if size else silent
    for name, value in first.items():
        if not torch.equal(second[name][: len(value)] if value.ndim else second[name], value):
            return None
        if name in ("running_mean", "bias"):
            silent = silent & (second[name][len(value) :] == 0)
    return silent
