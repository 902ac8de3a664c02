"""Run an experiment file: every run at every seed, into one JSON with its provenance."""

from __future__ import annotations

import argparse
import json
import logging
import os
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import nn

from nbsrc.data import ImageData, load_data
from nbsrc.experiment_plan import TIERS, ExperimentPlan, read_plan
from nbsrc.files import project_root, write_json_atomic
from nbsrc.layer_norms import layer_norms, to_rows
from nbsrc.models import build_model
from nbsrc.provenance import provenance
from nbsrc.training import train

__all__ = ["load_or_train", "main", "run_experiment"]

log = logging.getLogger(__name__)


def run_experiment(plan: ExperimentPlan, tier: str) -> dict[str, Any]:
    """Train all runs of an experiment.

    Args:
        plan: The checked experiment file.
        tier: ``"smoke"``, ``"book"`` or ``"paper"``; it changes sizes only.

    Returns:
        Plain JSON values: ``experiment``, ``description``, ``tier``, ``digest``, ``sizes``,
        ``provenance``, ``seconds`` and ``runs``. A run holds ``label``, ``seed``, ``settings``,
        ``seconds`` and ``history``: per epoch, 0 (before training) included, ``epoch``,
        ``train_loss``, ``test_loss``, ``test_accuracy`` and ``norms``, the rows of
        :func:`nbsrc.layer_norms.to_rows`.

    Raises:
        ValueError: If the tier is unknown or asks for more images than there are.
    """
    if tier not in TIERS:
        raise ValueError(f"tier must be one of {TIERS}, got {tier!r}")
    sizes = plan.tiers[tier]
    data = load_data(plan.data).first(sizes.train_images, sizes.test_images)
    start = time.perf_counter()
    runs = []
    for number, label in enumerate(plan.runs):
        for seed in range(sizes.seeds):
            log.info("%s %s: %s, seed %d", plan.name, tier, label, seed)
            runs.append(_run(plan, tier, label, seed, data))
        log.info("%s %s: %d of %d runs done", plan.name, tier, number + 1, len(plan.runs))
    return {
        "experiment": plan.name,
        "description": plan.description,
        "data": plan.data,
        "model": plan.model,
        "tier": tier,
        "digest": plan.digest,
        "sizes": asdict(sizes)
        | {"train_images": len(data.train_images), "test_images": len(data.test_images)},
        "provenance": provenance(),
        "seconds": round(time.perf_counter() - start, 3),
        "runs": runs,
    }


def load_or_train(name: str, tier: str, *, folder: Path | None = None) -> dict[str, Any]:
    """Return the results of an experiment: finished ones if they are there, else train now.

    Finished results are those in ``$NBSRC_RUNS_DIR/<name>.json``, if they were made from the same
    experiment file at the same tier. Nothing is written.

    Args:
        name: The experiment's name, as in ``experiments/<name>.yml``.
        tier: ``"smoke"``, ``"book"`` or ``"paper"``.
        folder: The folder of the experiment files, by default the project's.

    Returns:
        The results, see :func:`run_experiment`.

    Raises:
        FileNotFoundError: If there is no such experiment.
        ValueError: If the experiment file breaks its schema or the tier is unknown.
    """
    if tier not in TIERS:
        raise ValueError(f"tier must be one of {TIERS}, got {tier!r}")
    where = project_root() / "experiments" if folder is None else folder
    path = where / f"{name}.yml"
    if not path.is_file():
        known = sorted(file.stem for file in where.glob("*.yml"))
        raise FileNotFoundError(f"name must be that of an experiment, one of {known}, got {name!r}")
    plan = read_plan(path)
    finished = _finished(plan, tier)
    return run_experiment(plan, tier) if finished is None else finished


def main(argv: Sequence[str]) -> int:
    """Run an experiment file and write its results (``python -m nbsrc train``).

    Args:
        argv: The command's arguments.

    Returns:
        The exit status, 1 if the experiment cannot run; the reason is logged.
    """
    parser = argparse.ArgumentParser(prog="python -m nbsrc train", description=__doc__)
    parser.add_argument("experiment", type=Path, help="experiment file, experiments/NAME.yml")
    parser.add_argument("--tier", choices=TIERS, default="book")
    parser.add_argument("--output", type=Path, required=True, help="JSON file to write")
    options = parser.parse_args(argv)
    try:
        results = run_experiment(read_plan(options.experiment), options.tier)
        write_json_atomic(options.output, results)
    except (ValueError, OSError, FloatingPointError) as error:
        log.error("%s", error)  # noqa: TRY400 - a message, not a traceback
        return 1
    log.info("%s written, %.1f s", options.output, results["seconds"])
    return 0


def _run(plan: ExperimentPlan, tier: str, label: str, seed: int, data: ImageData) -> dict[str, Any]:
    """Return one finished run. Runs with one seed share initial weights and image order."""
    model = build_model(plan.model, generator=torch.Generator().manual_seed(seed))
    shape = (1, *data.train_images.shape[1:])

    settings = plan.settings(label, tier)

    def norms(trained: nn.Module, epoch: int) -> list[dict[str, Any]]:
        ords = plan.norms + (plan.end_norms if epoch in (0, settings.epochs) else ())
        return to_rows(layer_norms(trained, shape, ords=ords))

    start = time.perf_counter()
    generator = torch.Generator().manual_seed(seed)
    history = train(model, data, settings, generator=generator, recorder=norms)
    rows = [asdict(record) for record in history]
    return {
        "label": label,
        "seed": seed,
        "settings": asdict(settings),
        "seconds": round(time.perf_counter() - start, 3),
        "history": [row | {"norms": row.pop("recorded")} for row in rows],
    }


def _finished(plan: ExperimentPlan, tier: str) -> dict[str, Any] | None:
    """Return finished results of this plan and tier, None if there are none."""
    folder = os.environ.get("NBSRC_RUNS_DIR")
    if not folder:
        return None
    path = Path(folder) / f"{plan.name}.json"
    if not path.is_file():
        return None
    try:
        results = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        log.warning("%s is not JSON: training again", path)
        return None
    if not isinstance(results, dict) or (results.get("digest"), results.get("tier")) != (
        plan.digest,
        tier,
    ):
        log.warning("%s was made from another experiment file or tier: training again", path)
        return None
    return results
