"""Tables 2 and 3 and the captions, by arithmetic on what is printed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any

from nbsrc.audits.finding import Case as Result
from nbsrc.audits.finding import collect
from nbsrc.claims import Finding

__all__ = [
    "FIGURES",
    "TABLE2_SETTINGS",
    "audit_networks",
    "audit_on_grid",
    "audit_same_accuracy",
    "configurations",
    "missing_steps",
]

#: What captions and text say of the figures with data: number to (data set, networks named).
FIGURES: Mapping[int, tuple[str, tuple[str, ...]]] = {
    2: ("CIFAR10", ("CNN7",)), 3: ("CIFAR10", ("CNN7", "WRN-28-10")), 4: ("CIFAR10", ("CNN7",)),
    5: ("CIFAR10", ("CNN7",)), 6: ("CIFAR10", ("CNN7",)), 7: ("CIFAR10", ("CNN7",)),
    8: ("CIFAR10", ("CNN7",)), 9: ("CIFAR10", ("CNN7",)), 10: ("CIFAR10", ("CNN7",)),
    11: ("CIFAR10", ("CNN7",)), 12: ("CIFAR10", ("CNN7",)), 13: ("CIFAR10", ("CNN7",)),
    14: ("CIFAR10", ("CNN7",)), 15: ("SVHN", ("CNN7",)),
}  # fmt: skip

#: Table 2: method to the settings that have to be looked up, by the key of Table 3.
TABLE2_SETTINGS: Mapping[str, Sequence[tuple[str, str, float]]] = {
    "AT l2": (("AT", "eps_l2", 1.75), ("AT", "alpha_times_iters_over_eps", 2), ("AT", "iters", 10)),
    "AT linf": (
        ("AT", "eps_linf_over_255", 8), ("AT", "alpha_times_iters_over_eps", 2), ("AT", "iters", 10)
    ),
    "d.d. spectral norm": (("ddSNR", "lam", 3e-2), ("ddSNR", "eps", 1.75), ("ddSNR", "iters", 10)),
    "d.d. operator norm": (
        ("ddONR", "lam", 3e-2), ("ddONR", "eps", 8 / 255), ("ddONR", "iters", 10)
    ),
    "global spectral norm": (
        ("globalSNR", "lam", 3e-4), ("globalSNR", "iters", 1), ("globalSNR", "iters", 10)
    ),
    "WRN AT l2": (
        ("AT", "eps_l2", 1.75), ("AT", "alpha_times_iters_over_eps", 2), ("AT", "iters", 10)
    ),
    "WRN d.d. spectral norm": (
        ("ddSNR", "lam", 3e-1), ("ddSNR", "eps", 1.75), ("ddSNR", "iters", 10)
    ),
}  # fmt: skip


def audit_on_grid(
    grid: Mapping[str, Mapping[str, Sequence[float]]],
    settings: Mapping[str, Sequence[tuple[str, str, float]]] = TABLE2_SETTINGS,
    *,
    charitable: bool = False,
) -> Finding:
    """Test that every setting of Table 2 was among the values tested of Table 3.

    Args:
        grid: Table 3.
        settings: Table 2.
        charitable: Whether the row of the spectral norm also counts for the operator norm, and the
            radii of adversarial training for the regularisers.

    Returns:
        The finding.
    """
    radii = [*grid["AT"]["eps_l2"], *(v / 255 for v in grid["AT"]["eps_linf_over_255"])]

    def values(method: str, key: str) -> Sequence[float]:
        if charitable and key == "eps":
            return radii
        if charitable and method == "ddONR":
            method = "ddSNR"
        return grid.get(method, {}).get(key, ())

    def results() -> Iterator[Result]:
        for number, (name, wanted) in enumerate(settings.items()):
            for method, key, value in wanted:
                there = any(abs(float(v) - value) <= 1e-12 for v in values(method, key))
                shown = {"method": name, "setting": key, "value": value}
                yield (0.0 if there else -1.0), (number,), shown

    return collect(results(), tolerance=0, family="all settings of Table 2")


def configurations(grid: Mapping[str, Mapping[str, Sequence[float]]]) -> dict[str, int]:
    """Return how many combinations the rows of Table 3 span.

    Args:
        grid: Table 3.

    Returns:
        The products of the lengths.
    """
    at = grid["AT"]
    common = len(at["alpha_times_iters_over_eps"]) * len(at["iters"])
    return {
        "AT l2": len(at["eps_l2"]) * common,
        "AT linf": len(at["eps_linf_over_255"]) * common,
        "globalSNR": len(grid["globalSNR"]["lam"]) * len(grid["globalSNR"]["iters"]),
        "ddSNR": len(grid["ddSNR"]["lam"]) * len(grid["ddSNR"]["iters"]),
    }


def missing_steps(values: Sequence[float], step: float) -> list[float]:
    """Return the multiples of a step between first and last value that are not in a list.

    Args:
        values: The list, rising.
        step: The step.

    Returns:
        What is missing.

    Example:
        >>> missing_steps([0.5, 0.75, 1.25], 0.25)
        [1.0]
    """
    unit = Fraction(step)
    low, high = Fraction(values[0]), Fraction(values[-1])
    every = [low + k * unit for k in range(int((high - low) / unit) + 1)]
    return [float(v) for v in every if float(v) not in values]


def audit_same_accuracy(
    tables: Iterable[tuple[str, str, Mapping[str, float]]], tolerance: float
) -> Finding:
    """Test that regularised models have the clean accuracy of the adversarially trained one.

    Args:
        tables: Network, the adversarially trained model, accuracies by method in per cent.
        tolerance: What counts as the same, in points; cells are rounded to 0.1.

    Returns:
        The finding; the slack is the tolerance minus the difference.
    """

    def results() -> Iterator[Result]:
        for name, reference, cells in tables:
            for method, value in cells.items():
                if not method.startswith("AT"):
                    apart = round(abs(value - cells[reference]), 6)
                    shown = {"network": name, "method": method, "points apart": apart}
                    yield round(tolerance - apart, 6), (-round(10 * apart),), shown

    return collect(results(), tolerance=0, family="Table 2, methods against adversarial training")


def audit_networks(
    figures: Mapping[int, tuple[str, tuple[str, ...]]], wanted: Mapping[str, Any]
) -> Finding:
    """Test what is said of the figures' networks and data.

    Args:
        figures: See :data:`FIGURES`.
        wanted: ``only``: no figure may show another network than these; ``once``: a network or
            data set that must occur in exactly one figure.

    Returns:
        The finding.
    """

    def results() -> Iterator[Result]:
        for number, (data, names) in figures.items():
            if "only" in wanted:
                good = set(names) <= set(wanted["only"])
                shown = {"figure": number, "data": data, "networks": list(names)}
                yield (0.0 if good else -1.0), (number,), shown
        for name in wanted.get("once", ()):
            count = sum(name == data or name in names for data, names in figures.values())
            yield -abs(count - 1.0), (0,), {"name": name, "figures": count}

    return collect(results(), tolerance=0, family="the 14 figures with data")
