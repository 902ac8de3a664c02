"""A network as a sequence of affine maps and switches."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from nbsrc.linear_region.operations import Affine, Operation, Switch

__all__ = ["Program", "Step"]


@dataclass(frozen=True)
class Step:
    """One operation of a network.

    Attributes:
        name: The layer's name in the network.
        operation: What is done.
        inputs: Numbers of the steps whose results are used; 0 is the network's input.
    """

    name: str
    operation: Operation
    inputs: tuple[int, ...]


@dataclass(frozen=True)
class Program:
    """A network as steps; step number i (from 1) computes value i, the last one the output.

    Attributes:
        steps: The steps in the order of execution.
    """

    steps: tuple[Step, ...]

    @property
    def switches(self) -> tuple[Step, ...]:
        """The steps that are ReLU, leaky ReLU or max-pool."""
        return tuple(step for step in self.steps if not isinstance(step.operation, Affine))

    def run(
        self,
        x: Tensor,
        gate: Callable[[int, Switch, Tensor], Tensor],
        *,
        constant: bool = True,
    ) -> Tensor:
        """Run the network with gates of the caller's choice.

        Args:
            x: ``[batch, *input]``.
            gate: Called with the number of the switch, the switch and what it sees; returns the
                gate to apply.
            constant: False to leave out all biases: the linear part of the affine map.

        Returns:
            The output, flattened to ``[batch, outputs]``.
        """
        last = {i: n for n, step in enumerate(self.steps, 1) for i in step.inputs}
        values, switches = {0: x}, 0
        for number, step in enumerate(self.steps, 1):
            given = [values[i] for i in step.inputs]
            if isinstance(step.operation, Affine):
                apply = step.operation.full if constant else step.operation.linear
                values[number] = apply(*given)
            else:
                chosen = gate(switches, step.operation, given[0])
                values[number] = step.operation.apply(given[0], chosen)
                switches += 1
            for i in step.inputs:  # memory: drop what no later step reads
                if last[i] == number:
                    values.pop(i, None)
        return values[len(self.steps)].flatten(1)
