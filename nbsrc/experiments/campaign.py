"""All runs of an experiment at one tier: what is missing is run, in order of value."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from nbsrc.data import ImageData, load_data, standardised_data
from nbsrc.experiments.execute import attacked, execute, initial_network
from nbsrc.experiments.plan import ExperimentPlan, read_plan
from nbsrc.experiments.runs import RunSpec
from nbsrc.experiments.store import RunStore, code_digest
from nbsrc.provenance import provenance

__all__ = ["Campaign", "file_name", "record_graph"]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Campaign:
    """An experiment at one tier, and the folder of its runs.

    Attributes:
        plan: The experiment.
        tier: One of its tiers.
        store: Where the runs lie.
        device: ``"cpu"``, ``"cuda"`` or ``"cuda:1"``.
        first_seed: The first of the seeds of every run.

    Raises:
        ValueError: If the first seed is negative.
    """

    plan: ExperimentPlan
    tier: str
    store: RunStore
    device: str = "cpu"
    first_seed: int = 0

    def __post_init__(self) -> None:
        """Check the seed."""
        if self.first_seed < 0:
            raise ValueError(f"first_seed must be 0 or more, got {self.first_seed}")

    @cached_property
    def data(self) -> ImageData:
        """The data, cut to the tier's sizes."""
        sizes = self.plan.sizes(self.tier)
        data = load_data(self.plan.data)
        if self.plan.classes is not None:
            data = data.only(self.plan.classes)
        data = data.first(sizes.train_images, sizes.test_images)
        return standardised_data(data) if self.plan.standardise else data

    @cached_property
    def runs(self) -> Mapping[str, RunSpec]:
        """The tier's runs by label."""
        return {run.label: run for run in self.plan.runs_of(self.tier)}

    def jobs(self, only: Sequence[str] = ("*",)) -> Iterator[tuple[RunSpec, int]]:
        """Yield the runs with their seeds, in order of value.

        Args:
            only: Shell patterns for labels, or for names of files (label and seed).

        Yields:
            A run and a seed.
        """
        for run in self.runs.values():
            for seed in self.seeds(run):
                names = (run.label, file_name(run, seed))
                if any(fnmatchcase(name, pattern) for name in names for pattern in only):
                    yield run, seed

    def seeds(self, run: RunSpec) -> range:
        """Return the seeds of a run.

        Args:
            run: The run.

        Returns:
            As many as the tier wants, from the first on.
        """
        return range(self.first_seed, self.first_seed + run.seeds)

    def identity(self, run: RunSpec, seed: int) -> str:
        """Return the digest of all that decides a run's numbers, code and versions apart.

        Args:
            run: The run.
            seed: The seed.

        Returns:
            A SHA-256.
        """
        sizes = self.plan.sizes(self.tier)
        start = None if run.start is None else self.identity(self.runs[run.start], seed)
        ends = [self.plan.norms, self.plan.end_norms]
        kind = ["standardised"] if self.plan.standardise else []
        context = {
            "data": [self.plan.data, self.plan.classes, *kind],
            "images": [sizes.train_images, sizes.test_images],
            "attacked": attacked(run, sizes),
            "norms": [[str(order) for order in orders] for orders in ends],
            "start": start,
        }
        return run.identity(seed, context)

    def finished(self, run: RunSpec, seed: int) -> dict[str, Any] | None:
        """Return the record of a run, None if it is not finished.

        Args:
            run: The run.
            seed: The seed.

        Returns:
            The record.
        """
        return self.store.finished(file_name(run, seed), self.identity(run, seed))

    def run_missing(self, only: Sequence[str] = ("*",)) -> int:
        """Run what is missing; several processes may do so at once and share the work.

        Args:
            only: Shell patterns for labels.

        Returns:
            The number of runs that this process did.
        """
        left, done, began = list(self.jobs(only)), 0, time.perf_counter()
        total = len(left)
        for wait in (False, True):
            later = []
            for run, seed in left:
                ran = self._run(run, seed, wait=wait)
                if ran is None:
                    later.append((run, seed))
                elif ran:
                    done += 1
                    self._say(run, seed, done, total, began)
            left = later
        return done

    def _run(self, run: RunSpec, seed: int, *, wait: bool) -> bool | None:
        """Do one run, unless it is finished.

        Returns:
            Whether it was done here, None if another process holds it.
        """
        if self._done(run, seed):
            return False
        if run.start is not None:
            self._run(self.runs[run.start], seed, wait=True)
        name = file_name(run, seed)
        with self.store.claimed(name, wait=wait) as mine:
            if not mine:
                return None
            if self._done(run, seed):
                return False
            record, model = self._record(run, seed, name)
            self.store.keep(name, record, model if self._is_start(run) else None)
        return True

    def _done(self, run: RunSpec, seed: int) -> bool:
        """Return whether a run needs no more work: no run that is missing needs its weights."""
        record = self.finished(run, seed)
        if record is None:
            return False
        if record["status"] != "finished" or self.store.weights(file_name(run, seed)).is_file():
            return True
        return all(self.finished(*other) is not None for other in self._starting_from(run, seed))

    def _starting_from(self, run: RunSpec, seed: int) -> Iterator[tuple[RunSpec, int]]:
        """Yield the runs that start from a run's final weights."""
        for other in self.runs.values():
            if other.start == run.label and seed in self.seeds(other):
                yield other, seed

    def _is_start(self, run: RunSpec) -> bool:
        """Return whether another run starts from a run's final weights."""
        return any(other.start == run.label for other in self.runs.values())

    def _record(self, run: RunSpec, seed: int, name: str) -> tuple[dict[str, Any], Any]:
        """Return the record of a run and its network."""
        identity, start, before = self.identity(run, seed), None, None
        if run.start is not None:
            before = self.finished(self.runs[run.start], seed)
            start = self.store.weights(file_name(self.runs[run.start], seed))
        head = {
            "label": run.label,
            "template": run.template,
            "axes": dict(run.axes),
            "seed": seed,
            "spec": run.as_dict(),
            "identity": identity,
            "code": code_digest(),
            "provenance": provenance(device=self.device) | {"data": self.data.checksum()},
        }
        if before is not None and before["status"] == "diverged":
            message = f"the run it starts from, {run.start!r}, diverged"
            return head | {
                "status": "diverged", "message": message, "seconds": 0.0, "measure_seconds": 0.0,
                "history": [], "measures": {},
            }, None  # fmt: skip
        model = initial_network(run, self.data, seed, start).to(torch.device(self.device))
        checkpoint = self.store.checkpoint(name, identity)
        sizes = self.plan.sizes(self.tier)
        record = execute(self.plan, sizes, run, seed, self.data, model, checkpoint)
        return head | record, model if record["status"] == "finished" else None

    def _say(self, run: RunSpec, seed: int, done: int, total: int, began: float) -> None:
        """Log progress: the run, how many of all, and the rate of this process."""
        minutes = (time.perf_counter() - began) / 60
        rate = f"{done} of {total} runs done here in {minutes:.1f} min"
        log.info("%s %s: %s, seed %d; %s", self.plan.name, self.tier, run.label, seed, rate)


def file_name(run: RunSpec, seed: int) -> str:
    """Return the name of a run's files, without ending.

    Args:
        run: The run.
        seed: The seed.

    Returns:
        The label as part of a file name, and the seed.
    """
    return f"{run.slug}-s{seed}"


def record_graph(path: Path, tier: str) -> dict[str, str | None]:
    """Return the runs of an experiment file with what they start from, for a workflow engine.

    Args:
        path: The experiment file.
        tier: One of its tiers.

    Returns:
        File name of every run and seed, and that of the run it starts from, or None.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file breaks the schema or has no such tier.
    """
    runs = {run.label: run for run in read_plan(path).runs_of(tier)}
    return {
        file_name(run, seed): None if run.start is None else file_name(runs[run.start], seed)
        for run in runs.values()
        for seed in range(run.seeds)
    }
