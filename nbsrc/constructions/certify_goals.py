"""What has to be shown of a point: Definition 2 for a label, a positive margin for scores."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["Goals", "label_goals", "score_goals"]

_LARGEST = 2**50  # label -+ 0.5 is exact in float64


@dataclass(frozen=True, eq=False)
class Goals:
    """The inequalities of every point.

    Attributes:
        output: ``"label"`` or ``"scores"``.
        codes: ``[m]``: the label, or the column of the label's score.
        width: Number of outputs.
    """

    output: str
    codes: Tensor
    width: int

    def slack(self, lower: Tensor, upper: Tensor) -> Tensor:
        """Lower bounds of the slack, from bounds of the outputs.

        The sign of a rounded difference is exact, so strictness survives rounding.

        Args:
            lower: ``[m, width]``.
            upper: ``[m, width]``.

        Returns:
            ``[m]``.
        """
        if self.output == "label":
            code = self.codes.double()
            slack = torch.minimum(lower[:, 0] - (code - 0.5), (code + 0.5) - upper[:, 0])
        else:
            rows = self.codes[:, None]
            others = upper.scatter(1, rows, -math.inf).amax(1)
            slack = lower.gather(1, rows)[:, 0] - others
        return _down(torch.nan_to_num(slack, nan=-math.inf, posinf=math.inf, neginf=-math.inf))

    def deviation(self, lower: Tensor, upper: Tensor) -> Tensor:
        """Upper bounds of the distance from the label, or from its one-hot code.

        Args:
            lower: ``[m, width]``.
            upper: ``[m, width]``.

        Returns:
            ``[m]``.
        """
        if self.output == "label":
            code = self.codes.double()[:, None]
        else:
            code = torch.nn.functional.one_hot(self.codes, self.width).double()
        return -_down(-torch.maximum(upper - code, code - lower).amax(1))

    def functions(self, row: int) -> tuple[Tensor, Tensor]:
        """The linear functions of the outputs whose lower bounds decide a point.

        Args:
            row: Which point.

        Returns:
            ``[q, width]`` coefficients and ``[q]`` targets that each function must exceed; -inf for
            the functions that only bound an output.
        """
        eye = torch.eye(self.width, dtype=torch.float64)
        code = int(self.codes[row])
        if self.output == "label":
            targets = torch.tensor([code - 0.5, -(code + 0.5)], dtype=torch.float64)
            return torch.cat([eye, -eye]), targets
        margins = (eye[code] - eye)[torch.arange(self.width) != code]
        targets = torch.zeros(len(margins) + 2 * self.width, dtype=torch.float64)
        targets[len(margins) :] = -math.inf
        return torch.cat([margins, eye, -eye]), targets

    def read(self, row: int, bounds: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Read the bounds of :meth:`functions` back.

        Args:
            row: Which point.
            bounds: ``[q]``.

        Returns:
            The slack, and ``[width]`` lower and upper bounds of the outputs.
        """
        _, targets = self.functions(row)
        used = targets > -math.inf
        slack = _down((bounds - targets)[used].min())
        ends = bounds[-2 * self.width :]
        return slack, ends[: self.width], -ends[self.width :]

    def loss(self, rows: Tensor, outputs: Tensor, side: float) -> Tensor:
        """The quantity an attack maximises; a point is broken where it is at least 0.

        Args:
            rows: Which points.
            outputs: ``[len(rows), width]``.
            side: 1 to push a label's output up, -1 to push it down; without effect for scores.

        Returns:
            ``[len(rows)]``.
        """
        codes = self.codes[rows]
        if self.output == "label":
            return side * (outputs[:, 0] - codes) - 0.5
        rest = outputs.scatter(1, codes[:, None], -math.inf).amax(1)
        return rest - outputs.gather(1, codes[:, None])[:, 0]


def label_goals(labels: Tensor) -> Goals:
    """Goals for a network whose single output approximates the label.

    Args:
        labels: ``[m]`` int64.

    Returns:
        The goals.

    Raises:
        ValueError: If a label is so large that label + 0.5 is not exact in float64.
    """
    largest = int(labels.abs().max())
    if largest > _LARGEST:
        raise ValueError(f"labels must be at most {_LARGEST} in absolute value, got {largest}")
    return Goals("label", labels, 1)


def score_goals(labels: Tensor, width: int, classes: Sequence[int] | None = None) -> Goals:
    """Goals for a network with one score per class.

    Args:
        labels: ``[m]`` int64.
        width: Number of scores.
        classes: The label of every score, or None to derive them.

    Returns:
        The goals.

    Raises:
        ValueError: If a label has no score, or the classes are not one distinct label per score.
    """
    if width < 2:
        raise ValueError(f"scores need at least two outputs, got {width}")
    found = labels.unique().tolist()
    if classes is None:
        names = found if len(found) == width else list(range(width))
    else:
        names = [int(name) for name in classes]
        if len(names) != width or len(set(names)) != width:
            raise ValueError(f"classes must be {width} distinct labels, got {names}")
    missing = sorted(set(found) - set(names))
    if missing:
        raise ValueError(f"labels must be among the classes {names} of the scores, got {missing}")
    column = {name: index for index, name in enumerate(names)}
    return Goals("scores", torch.tensor([column[code] for code in labels.tolist()]), width)


def _down(value: Tensor) -> Tensor:
    """Return the next smaller float, but keep the sign: a positive number stays positive."""
    lowered = torch.nextafter(value, torch.full_like(value, -math.inf))
    return torch.where((value > 0) & (lowered <= 0), value, lowered)
