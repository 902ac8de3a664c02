"""How far a training run is, told every few seconds at most."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeAlias

__all__ = ["Pace", "Progress", "ProgressCallback", "log_progress"]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Progress:
    """Where a run is after a step. Written as text it is one line.

    Attributes:
        epoch: The epoch that is going on.
        epochs: Epochs in all.
        step: Finished steps of this epoch.
        steps: Steps per epoch.
        loss: Loss of the step, of an ensemble the mean over its networks.
        rate: Steps per second since this process took up the run, evaluations included.
        seconds_left: Time left at this rate.
    """

    epoch: int
    epochs: int
    step: int
    steps: int
    loss: float
    rate: float
    seconds_left: float

    def __str__(self) -> str:
        """Return one line for a log."""
        left = timedelta(seconds=round(self.seconds_left))
        return (
            f"epoch {self.epoch} of {self.epochs}, step {self.step} of {self.steps}: "
            f"loss {self.loss:.4g}, {self.rate:.3g} steps/s, {left} left"
        )


#: Called with the progress of a run, every few seconds at most.
ProgressCallback: TypeAlias = Callable[[Progress], None]


def log_progress(progress: Progress) -> None:
    """Log the progress as one line.

    Args:
        progress: The progress.
    """
    log.info("%s", progress)


class Pace:
    """Measures the rate of a run and tells its progress from time to time."""

    def __init__(
        self,
        report: ProgressCallback | None,
        *,
        epochs: int,
        steps: int,
        every: float = 5.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start the clock; ``report`` is :func:`log_progress` for None.

        Nothing is told before ``every`` seconds are over, so a short run tells nothing.
        """
        self._report = log_progress if report is None else report
        self._epochs, self._steps, self._every, self._clock = epochs, steps, every, clock
        self._began = self._told = clock()
        self._done = 0

    def step(self, epoch: int, step: int, loss: float) -> None:
        """Count a finished step, and tell the progress if it is time to.

        Args:
            epoch: The epoch that is going on.
            step: Finished steps of this epoch.
            loss: Loss of the step.
        """
        self._done += 1
        now = self._clock()
        if now - self._told < self._every:
            return
        self._told = now
        rate = self._done / max(now - self._began, 1e-9)
        left = (self._epochs - epoch + 1) * self._steps - step
        self._report(
            Progress(epoch, self._epochs, step, self._steps, loss, rate, max(left, 0) / rate)
        )
