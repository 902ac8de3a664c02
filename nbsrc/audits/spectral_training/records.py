"""Reading the runs of paper B's experiments: methods, curves, and groups that must fail."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

__all__ = [
    "CIFAR10", "DIGITS", "Group", "curve", "group_of", "matched", "random_alignment",
    "relabelled", "same_training",
]  # fmt: skip

Measures = Mapping[str, Any]
#: By method: the measures of its finished runs, in the order of the seeds.
Group = Mapping[str, Sequence[Measures]]

#: Names of methods by the labels of the digits' runs.
DIGITS: Mapping[str, str] = {
    "standard": "standard",
    "AT l2": "AT",
    "d.d. SNR": "d.d. SNR",
    "global SNR 0.0003, 1 iterations": "global SNR",
    "global SNR 0.0003, 10 iterations": "global SNR, 10",
    "global SNR 0.1, 1 iterations": "strong global SNR",
    "global SNR 0.1, 10 iterations": "strong global SNR, 10",
    "AT linf": "AT linf",
    "d.d. ONR": "d.d. ONR",
}
#: Names of methods by the labels of CIFAR-10's recorded runs.
CIFAR10: Mapping[str, str] = {
    "CNN7 standard": "standard",
    "CNN7 AT l2, 5 iterations": "AT",
    "CNN7 d.d. SNR, 5 iterations": "d.d. SNR",
    "CNN7 d.d. SNR at lambda 0.003, 5 iterations": "d.d. SNR, 0.003",
    "CNN7 global SNR, 1 iterations": "global SNR",
    "CNN7 global SNR, 10 iterations": "global SNR, 10",
    "CNN7 AT linf, 5 iterations": "AT linf",
    "CNN7 d.d. ONR, 5 iterations": "d.d. ONR",
}


def group_of(runs: Iterable[Mapping[str, Any]], names: Mapping[str, str]) -> dict[str, Any]:
    """Group the finished runs of a collected file by method.

    Args:
        runs: The runs.
        names: Method by label; other runs are left out.

    Returns:
        The group.
    """
    found: dict[str, list[Measures]] = {}
    for run in sorted(runs, key=lambda run: int(run["seed"])):
        if run["label"] in names and run["status"] == "finished":
            found.setdefault(names[run["label"]], []).append(run["measures"])
    return {name: found[name] for name in dict.fromkeys(names.values()) if name in found}


def matched(group: Group) -> dict[str, Any]:
    """Choose the strength of d.d. SNR by the paper's rule: a clean accuracy nearest to AT's.

    Args:
        group: Runs with several strengths, ``d.d. SNR`` and ``d.d. SNR, ...``.

    Returns:
        The group with the chosen one alone, as ``d.d. SNR``.
    """

    def clean(name: str) -> float:
        return float(group[name][0]["accuracy"]["test_accuracy"])

    rivals = [name for name in group if name.startswith("d.d. SNR")]
    rest = {name: runs for name, runs in group.items() if name not in rivals}
    if "AT" in group and rivals:
        best = min(rivals, key=lambda name: abs(clean(name) - clean("AT")))
        rest["d.d. SNR"] = group[best]
    return rest


def same_training(group: Group) -> dict[str, Any]:
    """Return a group in which nothing but the seed differs: the plain runs under every name.

    Args:
        group: A group with at least two plain runs.

    Returns:
        The plain runs as they are, and under each other name shifted by one seed.
    """
    plain = list(group["standard"])
    return {name: plain if name == "standard" else plain[1:] + plain[:1] for name in group}


def relabelled(group: Group, **names: str) -> dict[str, Any]:
    """Return a group in which methods have the runs of others.

    Args:
        group: The group.
        **names: Method and whose runs it gets; ``_`` stands for a space.

    Returns:
        The group.
    """
    swaps = {key.replace("_", " "): value for key, value in names.items()}
    return {name: group[swaps.get(name, name)] for name in group}


def random_alignment(group: Group) -> dict[str, Any]:
    """Return a group whose alignment by rank is that with a network of random weights.

    Args:
        group: The group.

    Returns:
        The group with each run's ``random`` in place of ``alignment``.
    """

    def changed(run: Measures) -> Measures:
        spectrum = run["spectrum"]
        return {**run, "spectrum": {**spectrum, "alignment": spectrum["random"]}}

    return {name: [changed(run) for run in runs] for name, runs in group.items()}


def curve(group: Group, method: str, *path: str) -> list[list[float]]:
    """Return a curve of every seed.

    Args:
        group: The group.
        method: The method.
        *path: Measure and what leads to the curve in it, for one ``"curve", "mean"``.

    Returns:
        A list of numbers by seed.
    """
    found = []
    for measures in group[method]:
        value: Any = measures
        for key in path:
            value = value[key]
        found.append([float(v) for v in value])
    return found
