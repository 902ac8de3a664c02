"""Reading collected runs: values by the strength of adversarial training, seed by seed."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from itertools import pairwise
from statistics import mean
from typing import Any

__all__ = [
    "Groups", "Run", "Table", "gap", "histogram_moments", "histogram_share", "layer_values",
    "means", "of_template", "reader", "survived_radius", "table", "transposed"
]  # fmt: skip

_HISTOGRAMS = {"margins": ("edges", "counts"),
               "predictions": ("probability_edges", "probabilities")}  # fmt: skip
Run = Mapping[str, Any]
#: Runs by strength, in the order of their seeds.
Groups = Mapping[float, list[Run]]
#: A value by strength and seed.
Table = Mapping[float, list[float]]


def of_template(
    runs: Iterable[Run], template: str, *, axis: str = "radius", **axes: float
) -> dict[float, list[Run]]:
    """Return the finished runs of one template by the value of an axis.

    Args:
        runs: Runs of a collected file.
        template: Their label with axes, such as ``"AR {radius}"``.
        axis: The axis that is the strength.
        **axes: Values that other axes must have.

    Returns:
        The runs by strength from low to high, each list ordered by seed.
    """
    found: dict[float, list[Run]] = {}
    for run in runs:
        fits = all(run["axes"].get(name) == value for name, value in axes.items())
        if run["template"] == template and run["status"] == "finished" and fits:
            found.setdefault(float(run["axes"][axis]), []).append(run)
    return {key: sorted(found[key], key=lambda run: run["seed"]) for key in sorted(found)}


def reader(*path: str) -> Callable[[Run], float]:
    """Return a function that reads a number from a run's measures.

    Args:
        *path: The keys one after the other, such as ``"margins", "test", "near_zero"``.

    Returns:
        The function; a number that is not recorded is NaN.
    """

    def read(run: Run) -> float:
        value: Any = run["measures"]
        for key in path:
            value = value[key]
        return math.nan if value is None else float(value)

    return read


def survived_radius(run: Run, radii: Iterable[str]) -> float:
    """Return a lower bound of the mean radius in which PGD finds nothing.

    An image counts with the largest of the radii up to which it stays right under attack.

    Args:
        run: A run with measures ``PGD <radius>`` of equal images.
        radii: The radii, from small to large, as in the names of the measures.

    Returns:
        The sum of the accuracies at the radii, each times what its radius has more than the last.
    """
    total = last = 0.0
    for radius in radii:
        total += (float(radius) - last) * float(run["measures"][f"PGD {radius}"]["value"])
        last = float(radius)
    return total


def table(groups: Groups, value: Callable[[Run], float]) -> dict[float, list[float]]:
    """Return a value by strength and seed.

    Args:
        groups: The runs.
        value: What to read of a run.

    Returns:
        The table.
    """
    return {strength: [value(run) for run in runs] for strength, runs in groups.items()}


def transposed(values: Table) -> dict[float, list[float]]:
    """Return a table with seeds as strengths and strengths as seeds.

    A trend over seeds is what chance gives: the control of every trend over strengths.

    Args:
        values: The table.

    Returns:
        The table of the other order; seeds that not every strength has are left out.
    """
    rows = list(values.values())
    seeds = min((len(row) for row in rows), default=0)
    return {float(seed): [row[seed] for row in rows] for seed in range(seeds)}


def means(values: Table) -> dict[float, float]:
    """Return the means over seeds.

    Args:
        values: The table.

    Returns:
        The means by strength.
    """
    return {strength: mean(row) for strength, row in values.items()}


def gap(run: Run, what: str = "loss") -> float:
    """Return the gap between training and test.

    Args:
        run: A run with the measure ``gaps``.
        what: ``"loss"``, test minus training; or ``"accuracy"``, training minus test, which is
            the gap of the error rates.

    Returns:
        The gap.
    """
    found = run["measures"]["gaps"]
    difference = float(found[f"test_{what}"] - found[f"train_{what}"])
    return difference if what == "loss" else -difference


def histogram_share(run: Run, measure: str, part: str, low: float, high: float) -> float:
    """Return the share of a recorded histogram between two of its edges.

    Args:
        run: A run with the measure.
        measure: ``"margins"``, of probabilities, or ``"predictions"``, probabilities of the label.
        part: ``"train"`` or ``"test"``.
        low: Lower edge.
        high: Upper edge.

    Returns:
        The share.

    Raises:
        ValueError: If one of them is no edge of the histogram.
    """
    edge_key, count_key = _HISTOGRAMS[measure]
    found = run["measures"][measure]
    edges, counts = found[edge_key], found[part][count_key]
    ends = [next((n for n, e in enumerate(edges) if abs(e - x) < 1e-5), None) for x in (low, high)]
    if ends[0] is None or ends[1] is None:
        raise ValueError(f"low and high must be edges of the histogram, got {low} and {high}")
    return float(sum(counts[ends[0] : ends[1]]) / sum(counts))


def histogram_moments(edges: list[float], counts: list[int]) -> tuple[float, float, float]:
    """Return mean, standard deviation and skewness of a histogram, every bin at its middle.

    Args:
        edges: The edges of the bins.
        counts: The counts.

    Returns:
        The three; the skewness of a single bin is NaN.

    Example:
        >>> histogram_moments([0, 2, 4], [1, 1])
        (2.0, 1.0, 0.0)
    """
    middles = [(a + b) / 2 for a, b in pairwise(edges)]
    whole = sum(counts)
    centre = sum(m * c for m, c in zip(middles, counts, strict=True)) / whole
    second, third = (
        sum((m - centre) ** k * c for m, c in zip(middles, counts, strict=True)) / whole
        for k in (2, 3)
    )
    spread = math.sqrt(second)
    return centre, spread, third / spread**3 if spread else math.nan


def layer_values(run: Run, column: str) -> dict[str, float]:
    """Return a statistic of the singular values of every layer that has a spectrum.

    Args:
        run: A run with the measure ``spectra``.
        column: ``"std"``, ``"relative_std"``, ``"mean"``, ``"maximum"`` or another column.

    Returns:
        The values by name of the layer, in the order of the layers.
    """
    rows = run["measures"]["spectra"]["layers"]
    return {row["name"]: float(row[column]) for row in rows if row.get(column) is not None}
