"""One figure style, and the data of every figure as CSV."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from cycler import cycler

from nbsrc.files import write_text_atomic

__all__ = ["COLORS", "MARKERS", "STYLE", "export", "use_style"]

# Okabe and Ito's palette: told apart by readers with any common form of colour blindness.
COLORS = {
    "blue": "#0072B2",
    "orange": "#E69F00",
    "green": "#009E73",
    "red": "#D55E00",
    "purple": "#CC79A7",
    "sky": "#56B4E9",
    "yellow": "#F0E442",
    "black": "#000000",
}
MARKERS = ("o", "s", "D", "^", "v", "P", "X", "*")
STYLE: dict[Any, Any] = {
    "figure.facecolor": "white",  # opaque: readable on a dark page
    "savefig.facecolor": "white",
    "savefig.transparent": False,
    "figure.constrained_layout.use": True,
    "figure.dpi": 100,
    "font.size": 10,
    "axes.prop_cycle": cycler(color=list(COLORS.values())),
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.alpha": 0.35,
    "lines.linewidth": 2,
    "legend.frameon": False,
    "svg.hashsalt": "nbsrc",  # the same figure gives the same file
    "svg.fonttype": "path",
}


def use_style() -> None:
    """Set the project's figure style for this process, as SVG in notebooks.

    Changes matplotlib's ``rcParams`` and, in a notebook, the inline format: meant for the first
    cell of a notebook, not for library code.
    """
    mpl.rcParams.update(STYLE)
    try:
        from IPython import get_ipython
        from matplotlib_inline.backend_inline import set_matplotlib_formats
    except ImportError:
        return
    if get_ipython() is not None:
        set_matplotlib_formats("svg", metadata={"Date": None})


def export(name: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write a figure's data as ``<name>.csv`` where the build asks for it.

    Without the build (``NBSRC_FIGURE_DATA_DIR`` is not set) nothing is written.

    Args:
        name: The figure's name, such as ``fig-tap-map``.
        rows: The data, one mapping per row, all with the same keys.

    Raises:
        ValueError: If there are no rows, or two rows have different keys.
    """
    if not rows:
        raise ValueError(f"rows of figure {name!r} must not be empty")
    keys = list(rows[0])
    if any(list(row) != keys for row in rows):
        raise ValueError(f"rows of figure {name!r} must all have the keys {keys}")
    folder = os.environ.get("NBSRC_FIGURE_DATA_DIR")
    if folder is None:
        return
    text = io.StringIO()
    writer = csv.DictWriter(text, keys, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text_atomic(Path(folder) / f"{name}.csv", text.getvalue())
