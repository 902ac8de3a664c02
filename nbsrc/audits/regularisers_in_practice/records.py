"""Means and spreads over initialisations, from the record of an experiment on penalties."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from statistics import mean, median, stdev
from typing import Any

__all__ = ["ATTACKS", "NETS", "PENALTIES", "TITLES", "Cell", "cell", "curve", "keeps", "nets_of",
           "of_run", "runs_of"]  # fmt: skip

Record = Mapping[str, Any]
Run = Mapping[str, Any]
NETS = ("lenet_300_100", "lenet5")
#: The networks as the page names them.
TITLES = {
    "lenet_300_100": "LeNet-300-100", "lenet5": "LeNet-5", "conv4": "four layers",
    "vgg_like": "VGG-like", "resnet32_fixup": "ResNet",
}  # fmt: skip
PENALTIES = ("JacobianPenalty", "CrossLipschitz", "InputGradient", "Curvature")
#: The attacks with the entry of their measure that the paper plots.
ATTACKS = {"FGSM": "value", "PGD": "value", "DeepFool": "mean", "C&W": "mean"}


@dataclass(frozen=True)
class Cell:
    """One point of a curve: a quantity over the initialisations of one setting.

    Attributes:
        values: The quantity, one per finished run in which it exists.
        seeds: The seeds of these runs.
        diverged: Number of runs that ended in NaN or infinity.
        runs: Number of runs that were done, these and those without the quantity included.
    """

    values: tuple[float, ...]
    seeds: tuple[int, ...]
    diverged: int = 0
    runs: int = 0

    @property
    def mean(self) -> float:
        """The mean, NaN without values."""
        return mean(self.values) if self.values else math.nan

    @property
    def median(self) -> float:
        """The median, NaN without values; a single collapsed network does not move it."""
        return median(self.values) if self.values else math.nan

    @property
    def spread(self) -> float:
        """The standard deviation over initialisations, 0 for a single one."""
        return stdev(self.values) if len(self.values) > 1 else 0.0


def nets_of(record: Record) -> list[str]:
    """Return the networks of a record.

    Args:
        record: A collected or recorded experiment.

    Returns:
        Their names, in the order of the runs.
    """
    return list(dict.fromkeys(run["axes"]["net"] for run in record["runs"]))


def runs_of(
    record: Record,
    net: str,
    penalty: str | None = None,
    strength: float | None = None,
    mode: str | None = None,
) -> list[Run]:
    """Return the runs of a setting.

    Args:
        record: A collected or recorded experiment.
        net: Name of the network.
        penalty: Name of the penalty; None for the references.
        strength: Its strength; None for all.
        mode: The axis ``mode`` of the runs; None for those that have none.

    Returns:
        The runs, one per initialisation.
    """
    found = [run for run in record["runs"] if run["axes"]["net"] == net]
    if penalty is None:
        return [run for run in found if run["start"] is None]
    return [
        run
        for run in found
        if run["axes"].get("penalty") == penalty
        and run["axes"].get("mode") == mode
        and (strength is None or run["axes"]["strength"] == strength)
    ]


def of_run(run: Run, *path: str) -> float | None:
    """Return a measured number of a run.

    Args:
        run: The run.
        path: Keys into its measures.

    Returns:
        The number; None if the run diverged or the quantity does not exist.
    """
    value: Any = run["measures"]
    for key in path:
        if not isinstance(value, Mapping) or value.get(key) is None:
            return None
        value = value[key]
    return float(value)


def cell(runs: list[Run], *path: str) -> Cell:
    """Collect a quantity over runs.

    Args:
        runs: Runs of one setting.
        path: Keys into the measures.

    Returns:
        The values with seeds, and the number of runs that diverged.
    """
    known = [(run["seed"], of_run(run, *path)) for run in runs]
    kept = [(seed, value) for seed, value in known if value is not None]
    return Cell(
        values=tuple(value for _, value in kept),
        seeds=tuple(seed for seed, _ in kept),
        diverged=sum(run["status"] == "diverged" for run in runs),
        runs=len(runs),
    )


def keeps(runs: list[Run], least: float) -> bool:
    """Say whether networks classify: one that names one class for all images resists attacks, too.

    Args:
        runs: Runs of one setting.
        least: The least mean clean accuracy.

    Returns:
        Whether they reach it; all do for 0.
    """
    return least <= 0 or cell(runs, "gaps", "test_accuracy").mean >= least


def curve(record: Record, net: str, penalty: str, attack: str) -> Iterator[tuple[float, Cell]]:
    """Yield a curve of the paper's figures, weakest penalty first.

    Args:
        record: The experiment.
        net: Name of the network.
        penalty: Name of the penalty.
        attack: Name of the attack.

    Yields:
        The strength, and what the attack leaves or needs.
    """
    runs = [run for run in runs_of(record, net, penalty) if run["start"] is not None]
    for strength in sorted({run["axes"]["strength"] for run in runs}):
        same = [run for run in runs if run["axes"]["strength"] == strength]
        yield strength, cell(same, attack, ATTACKS[attack])
