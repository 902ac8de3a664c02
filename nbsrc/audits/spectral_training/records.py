"""Reading the runs of paper B's experiments: methods, curves, place of the training radius."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from statistics import mean
from typing import Any

__all__ = [
    "BATCH_NORM",
    "CIFAR10",
    "DIGITS",
    "Group",
    "at",
    "clean_accuracy",
    "curve",
    "group_of",
    "losses",
    "matched",
    "training_place",
]

Measures = Mapping[str, Any]
#: By method: the measures of its finished runs, in the order of the seeds.
Group = Mapping[str, Sequence[Measures]]

#: Names of methods by the labels of the digits' runs, without batch norm.
DIGITS: Mapping[str, str] = {
    "standard": "standard",
    "AT l2": "AT",
    "d.d. SNR at lambda 0.1": "d.d. SNR at 0.1",
    "d.d. SNR at lambda 0.3": "d.d. SNR at 0.3",
    "global SNR 0.0003, 1 iterations": "global SNR",
    "global SNR 0.0003, 10 iterations": "global SNR, 10",
    "global SNR 0.1, 1 iterations": "strong global SNR",
    "global SNR 0.1, 10 iterations": "strong global SNR, 10",
    "AT linf": "AT linf",
    "d.d. ONR": "d.d. ONR",
}
#: The same of the digits' network with batch norm.
BATCH_NORM: Mapping[str, str] = {
    "batch norm standard": "standard",
    "batch norm AT l2": "AT",
    "batch norm d.d. SNR with batch statistics at lambda 0.1": "d.d. SNR at 0.1",
    "batch norm d.d. SNR with batch statistics at lambda 0.3": "d.d. SNR at 0.3",
    "batch norm d.d. SNR at lambda 0.1": "d.d. SNR, eval",
    "batch norm d.d. SNR at lambda 0.01": "d.d. SNR, eval, a tenth",
    "batch norm random direction at lambda 0.1": "random direction",
    "batch norm global SNR": "global SNR",
}
#: The same of CIFAR-10's recorded runs, with batch norm.
CIFAR10: Mapping[str, str] = {
    "CNN7 standard": "standard",
    "CNN7 AT l2, 5 iterations": "AT",
    "CNN7 d.d. SNR with batch statistics at lambda 0.03, 5 iterations": "d.d. SNR at 0.03",
    "CNN7 d.d. SNR with batch statistics at lambda 0.1, 5 iterations": "d.d. SNR at 0.1",
    "CNN7 d.d. SNR with batch statistics at lambda 0.3, 5 iterations": "d.d. SNR at 0.3",
    "CNN7 d.d. SNR with batch statistics at lambda 1.0, 5 iterations": "d.d. SNR at 1",
    "CNN7 d.d. SNR at lambda 0.3, 5 iterations": "d.d. SNR, eval",
    "CNN7 d.d. SNR, 5 iterations": "d.d. SNR, eval, a tenth",
    "CNN7 d.d. SNR at lambda 0.003, 5 iterations": "d.d. SNR, eval, a hundredth",
    "CNN7 d.d. SNR in a random direction at lambda 0.3, 5 iterations": "random direction",
    "CNN7 global SNR, 1 iterations": "global SNR",
    "CNN7 global SNR, 10 iterations": "global SNR, 10",
    "CNN7 AT linf, 5 iterations": "AT linf",
    "CNN7 d.d. ONR at lambda 0.03, 5 iterations": "d.d. ONR at 0.03",
    "CNN7 d.d. ONR at lambda 0.3, 5 iterations": "d.d. ONR at 0.3",
}


def group_of(runs: Iterable[Mapping[str, Any]], names: Mapping[str, str]) -> dict[str, Any]:
    """Group the finished runs of a collected file by method.

    Args:
        runs: The runs.
        names: Method by label; other runs are left out.

    Returns:
        The group; among a run's measures is also the mean loss over its last epoch, penalty
        included and in training mode.
    """
    found: dict[str, list[Measures]] = {}
    for run in sorted(runs, key=lambda run: int(run["seed"])):
        if run["label"] in names and run["status"] == "finished":
            last = (run.get("history") or [{}])[-1]
            measures = run["measures"] | {"last epoch's loss": last.get("train_loss")}
            found.setdefault(names[run["label"]], []).append(measures)
    return {name: found[name] for name in dict.fromkeys(names.values()) if name in found}


def clean_accuracy(group: Group, method: str) -> float:
    """Return the clean test accuracy of a method, mean over its seeds.

    Args:
        group: The runs.
        method: The method.

    Returns:
        The share.
    """
    return mean(float(run["accuracy"]["test_accuracy"]) for run in group[method])


def losses(group: Group, method: str) -> tuple[float, float]:
    """Return what the loss was while training, and what it is afterwards in evaluation mode.

    Args:
        group: The runs.
        method: The method.

    Returns:
        The mean loss over the last epoch, penalty included and in training mode, and that on
        training images at the end; means over the seeds.
    """
    runs = group[method]
    during = mean(float(run["last epoch's loss"]) for run in runs)
    return during, mean(float(run["accuracy"]["train_loss"]) for run in runs)


def matched(group: Group) -> dict[str, Any]:
    """Choose the strength of a penalty by the paper's rule: a clean accuracy nearest to AT's.

    Args:
        group: Runs with several strengths, named ``d.d. SNR at ...``, to match those of ``AT``, and
            ``d.d. ONR at ...``, to match those of ``AT linf``.

    Returns:
        The group with the chosen ones as ``d.d. SNR`` and ``d.d. ONR``, all others as they are.
    """
    found = dict(group)
    for method, model in (("d.d. SNR", "AT"), ("d.d. ONR", "AT linf")):
        rivals = [name for name in group if name.startswith(f"{method} at ")]
        if rivals and model in group:
            aim = clean_accuracy(group, model)
            best = min(rivals, key=lambda name: abs(clean_accuracy(group, name) - aim))
            found = {method if name == best else name: runs for name, runs in found.items()}
    return found


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


def training_place(group: Group, measure: str, method: str = "standard") -> int:
    """Return where in the radii of a measure the training radius lies.

    Args:
        group: The group; the plain runs have the training radii.
        measure: A measure with ``radii``. Those of ``linf curve`` are compared with the linf
            radius, all others with the l2 one.
        method: The method whose radii are searched.

    Returns:
        The place of the nearest radius.
    """
    run = group["standard"][0]
    radius = float(run["linf linearity" if measure == "linf curve" else "spectrum"]["eps"])
    radii = [float(r) for r in group[method][0][measure]["radii"]]
    return min(range(len(radii)), key=lambda n: abs(radii[n] - radius))


def at(group: Group, method: str, place: int | None, *path: str) -> list[float]:
    """Return one point of a curve for every seed.

    Args:
        group: The runs.
        method: The method.
        place: The place in the curve, None for the training radius.
        *path: As in :func:`curve`.

    Returns:
        The numbers.
    """
    where = training_place(group, path[0], method) if place is None else place
    return [values[where] for values in curve(group, method, *path)]
