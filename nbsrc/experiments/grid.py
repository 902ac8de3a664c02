"""Runs with axes: one entry of an experiment file that stands for a grid of runs."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nbsrc.experiments.schema import table

__all__ = ["Cell", "expand"]

_PLACE = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True)
class Cell:
    """One run of a grid.

    Attributes:
        label: The run's label, the axes' values filled in.
        template: The label as it stands in the file.
        axes: The value of every axis.
        content: The entry's other keys, the axes' values filled in.
    """

    label: str
    template: str
    axes: Mapping[str, Any]
    content: Mapping[str, Any]


def expand(template: str, entry: object) -> list[Cell]:
    """Return the runs that an entry stands for, the last axis running fastest.

    ``{axis}`` is filled in wherever it occurs in a text; a text that is nothing else becomes the
    value itself, so that numbers stay numbers.

    Args:
        template: The entry's label.
        entry: Its content; ``over`` holds the axes.

    Returns:
        The runs; one if there is no axis.

    Raises:
        ValueError: If an axis is no list, is empty, or does not occur in the label, or a text
            names an axis that does not exist.

    Example:
        >>> entry = {"over": {"s": [0.5, 2]}, "regularizer": {"strength": "{s}"}}
        >>> [(cell.label, cell.content) for cell in expand("decay {s}", entry)][0]
        ('decay 0.5', {'regularizer': {'strength': 0.5}})
    """
    content = {} if entry == {} else dict(table(f"runs.{template}", entry, None))
    axes = table(f"runs.{template}.over", content.pop("over"), None) if "over" in content else {}
    for axis, values in axes.items():
        if not isinstance(values, list) or not values:
            raise ValueError(f"runs.{template}.over.{axis} must be a list, got {values!r}")
        if f"{{{axis}}}" not in template:
            raise ValueError(f"runs.{template}: the label must contain {{{axis}}}")
    cells = []
    for chosen in itertools.product(*axes.values()):
        values = dict(zip(axes, chosen, strict=True))
        label = str(_filled(template, values, template))
        cells.append(Cell(label, template, values, _filled(content, values, template)))
    return cells


def _filled(value: Any, axes: Mapping[str, Any], template: str) -> Any:
    """Return a value with the axes filled in.

    Raises:
        ValueError: If a text names another axis.
    """
    if isinstance(value, dict):
        return {
            str(_filled(key, axes, template)): _filled(entry, axes, template)
            for key, entry in value.items()
        }
    if isinstance(value, list):
        return [_filled(entry, axes, template) for entry in value]
    if not isinstance(value, str):
        return value
    unknown = [axis for axis in _PLACE.findall(value) if axis not in axes]
    if unknown:
        raise ValueError(f"runs.{template}: {value!r} names {unknown[0]!r}, axes: {list(axes)}")
    whole = _PLACE.fullmatch(value)
    return axes[whole[1]] if whole else _PLACE.sub(lambda found: str(axes[found[1]]), value)
