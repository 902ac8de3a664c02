"""Pushing a segment through a network: what every layer sees is affine in t on every piece."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from nbsrc.linear_region.crossings import EPS, Lines, cut_at, find_crossings
from nbsrc.linear_region.enumeration import RegionLimitError
from nbsrc.linear_region.operations import Affine, Rectifier, Switch
from nbsrc.linear_region.program import Program

__all__ = ["Walk"]


class Walk:
    """The state of a segment on its way through a network.

    Attributes:
        breakpoints: ``[pieces + 1]``, from 0 to 1.
        gates: For every switch so far the gates inside each piece.
        zeros: ``[pieces]``: rectified units whose value is 0 all along the piece.
    """

    def __init__(self, program: Program, start: Tensor, end: Tensor, limit: int) -> None:
        direction = end - start
        values = torch.stack([start, direction]).unsqueeze(1)
        variances = torch.stack([torch.zeros_like(start), (EPS * direction) ** 2]).unsqueeze(1)
        self.breakpoints = np.array([0.0, 1.0])
        self.gates: list[Tensor] = []
        self.zeros = torch.zeros(1, dtype=torch.long)
        self._program, self._limit, self._doubts = program, limit, np.zeros(2)
        self._live = {0: Lines(values, variances)}

    def run(self) -> Lines:
        """Push the segment through all layers.

        Returns:
            The network's output.

        Raises:
            OverflowError: If values or the variances of their errors overflow.
            RegionLimitError: If there are more pieces than allowed.
        """
        steps = self._program.steps
        last = {i: n for n, step in enumerate(steps, 1) for i in step.inputs}
        for number, step in enumerate(steps, 1):
            if isinstance(step.operation, Affine):
                given = [self._live[i] for i in step.inputs]
                self._live[number] = lines = _affine(step.operation, given)
                if not bool(lines.variances.isfinite().all()):  # no sign could be trusted
                    raise OverflowError(f"layer {step.name!r}: squares of values overflow")
            else:
                self._cut(step.operation, step.inputs[0])
                self._live[number] = self._switch(step.operation, step.inputs[0])
            for i in step.inputs:  # memory: drop what no later step reads
                if last[i] == number:
                    self._live.pop(i, None)
        return self._live[len(steps)]

    def _ends(self) -> tuple[Tensor, Tensor]:
        times = torch.from_numpy(self.breakpoints)
        return times[:-1], times[1:]

    def _cut(self, switch: Switch, source: int) -> None:
        """Cut the pieces where a gate changes.

        Raises:
            RegionLimitError: If there are more pieces than allowed.
        """
        before = len(self.breakpoints) - 1
        cuts = find_crossings(switch, self._live[source], *self._ends())
        self.breakpoints, self._doubts, parents = cut_at(self.breakpoints, self._doubts, cuts)
        if len(parents) > self._limit:
            raise RegionLimitError(
                f"the segment meets more than max_regions = {self._limit} regions"
            )
        if len(parents) > before:
            index = torch.from_numpy(parents)
            self._live = {i: lines.select(index) for i, lines in self._live.items()}
            self.gates = [gate[index] for gate in self.gates]
            self.zeros = self.zeros[index]

    def _switch(self, switch: Switch, source: int) -> Lines:
        """Decide on the gates in the middle of each piece and apply them."""
        lines, (starts, ends) = self._live[source], self._ends()
        middle = lines.at((starts + ends) / 2)
        if isinstance(switch, Rectifier):
            farther = torch.maximum(lines.at(starts).abs(), lines.at(ends).abs())
            zero = farther <= lines.noise()
            middle = torch.where(zero, 0.0, middle)
            self.zeros = self.zeros + zero.flatten(1).sum(dim=1)
        gate = switch.decide(middle)
        self.gates.append(gate)
        squared = Rectifier(switch.slope**2) if isinstance(switch, Rectifier) else switch
        values, variances = (
            rule.apply(value.flatten(0, 1), gate).unflatten(0, (2, -1))
            for rule, value in ((switch, lines.values), (squared, lines.variances))
        )
        return Lines(values, variances)


def _affine(operation: Affine, given: list[Lines]) -> Lines:
    """Apply an affine map to offsets, its linear part to slopes, and add up rounding errors."""
    offset = operation.full(*[lines.values[0] for lines in given])
    slope = operation.linear(*[lines.values[1] for lines in given])
    values = torch.stack([offset, slope])
    # Errors that were there, those of the products, and those of their sums.
    spread = [(lines.variances + (EPS * lines.values) ** 2).flatten(0, 1) for lines in given]
    variances = operation.squared(*spread).unflatten(0, (2, -1)) + (EPS * values) ** 2
    return Lines(values, variances)
