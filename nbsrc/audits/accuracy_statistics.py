"""Counts, correlations and noise of tables of accuracies."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import pearsonr, spearmanr

from nbsrc.audits.accuracy_tables import AccuracyTable, Change, changes

__all__ = [
    "TEST_IMAGES",
    "Correlation",
    "Summary",
    "beyond_noise",
    "correlations",
    "near_plain_spread",
    "noise",
    "standard_error",
    "summarise",
]

#: Size of CIFAR-10's test set; the paper does not say how many images were attacked.
TEST_IMAGES = 10_000
_WEAKEST = ("plain", "wd1e-5", "l1_1e-5", "li_1e-5")


@dataclass(frozen=True)
class Summary:
    """How some runs differ from plain in one accuracy, in points.

    Attributes:
        cells: Number of runs.
        above: How many are above plain.
        equal: How many equal plain to the digit printed.
        below: How many are below plain.
        mean: Mean change.
        median: Median change.
        lowest: Most negative change.
        highest: Most positive change.
    """

    cells: int
    above: int
    equal: int
    below: int
    mean: float
    median: float
    lowest: float
    highest: float


@dataclass(frozen=True)
class Correlation:
    """How clean and robust accuracy go together over the runs of one model.

    Attributes:
        model: The model.
        pearson: Correlation of the accuracies.
        spearman: Correlation of their ranks.
        pearson_p: p-value of ``pearson`` if runs were independent and normal.
        opposed: Pairs of runs of which the one with the higher clean accuracy has the lower robust
            one.
        aligned: Pairs in which one run is higher in both.
    """

    model: str
    pearson: float
    spearman: float
    pearson_p: float
    opposed: int
    aligned: int


def summarise(found: Sequence[Change], accuracy: str) -> Summary:
    """Return counts, mean and extremes of changes.

    Args:
        found: The changes, at least one.
        accuracy: ``"clean"`` or ``"robust"``.

    Returns:
        The summary in points.

    Raises:
        ValueError: If there are no changes.
    """
    if not found:
        raise ValueError("found must hold at least one change, got none")
    values = np.array([getattr(change, accuracy) for change in found])
    return Summary(
        len(values), int((values > 0).sum()), int((values == 0).sum()), int((values < 0).sum()),
        *(float(x) / 10 for x in (values.mean(), np.median(values), values.min(), values.max())),
    )  # fmt: skip


def correlations(table: AccuracyTable) -> list[Correlation]:
    """Return the correlation of clean and robust accuracy for every model, plain run included.

    Args:
        table: The table.

    Returns:
        One correlation per model.
    """
    found = []
    for model in table.models:
        clean, robust = (
            [table.cells[model, kind, c] for c in table.columns] for kind in ("clean", "robust")
        )
        signs = [
            np.sign((a - b) * (r - s))
            for (a, r), (b, s) in itertools.combinations(zip(clean, robust, strict=True), 2)
        ]
        linear = pearsonr(clean, robust)
        ranked = float(spearmanr(clean, robust).statistic)
        opposed, aligned = signs.count(-1), signs.count(1)
        found.append(
            Correlation(
                model, float(linear.statistic), ranked, float(linear.pvalue), opposed, aligned
            )
        )
    return found


def noise(table: AccuracyTable, change: Change, accuracy: str) -> float:
    """Return the standard error of a change from the choice of test images, in points.

    Both accuracies count as independent. That they are measured on the same images makes the
    change more certain; that each is one training run makes it less certain.

    Args:
        table: The table the change comes from.
        change: The change.
        accuracy: ``"clean"`` or ``"robust"``.

    Returns:
        The standard error.
    """
    cells = (table.cells[change.model, accuracy, c] / 10 for c in ("plain", change.column))
    return math.hypot(*(standard_error(cell) for cell in cells))


def beyond_noise(table: AccuracyTable, accuracy: str) -> tuple[int, int]:
    """Count the changes of more than two standard errors.

    Args:
        table: The table.
        accuracy: ``"clean"`` or ``"robust"``.

    Returns:
        How many runs are above plain by more than that, and how many below.
    """
    scores = [getattr(c, accuracy) / 10 / noise(table, c, accuracy) for c in changes(table)]
    return sum(score > 2 for score in scores), sum(score < -2 for score in scores)


def near_plain_spread(table: AccuracyTable, accuracy: str) -> dict[str, float]:
    """Return how far apart the plain run and the three weakest penalties (1e-5) end, per model.

    Four runs that hardly differ in what they optimise: their standard deviation is the nearest
    thing to a seed-to-seed spread that the table offers. Plain is one of them, and every change of
    a model is measured from that one run.

    Args:
        table: The table.
        accuracy: ``"clean"`` or ``"robust"``.

    Returns:
        The sample standard deviation of the four accuracies by model, in points.
    """
    return {
        model: float(np.std([table.cells[model, accuracy, c] / 10 for c in _WEAKEST], ddof=1))
        for model in table.models
    }


def standard_error(percent: float, images: int = TEST_IMAGES) -> float:
    r"""Return the binomial standard error of an accuracy, in percentage points.

    .. math:: 100\sqrt{p(1-p)/n}

    It is what choosing other test images would change. What another seed of the training would
    change comes on top, and a table of single runs cannot show it.

    Args:
        percent: The accuracy in percent.
        images: Number of test images.

    Returns:
        The standard error in points.

    Raises:
        ValueError: If the accuracy is not between 0 and 100, or there is no image.

    Example:
        >>> standard_error(50, images=2500)
        1.0
    """
    if not 0 <= percent <= 100:
        raise ValueError(f"percent must be between 0 and 100, got {percent}")
    if images < 1:
        raise ValueError(f"images must be at least 1, got {images}")
    p = percent / 100
    return 100 * math.sqrt(p * (1 - p) / images)
