"""One run at one seed, from initial weights to its record."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from nbsrc.data import ImageData
from nbsrc.experiments.kinds import AUGMENTATIONS, SCHEDULES, build_described, build_regularizer
from nbsrc.experiments.measures import ATTACKS, compute
from nbsrc.experiments.plan import ExperimentPlan
from nbsrc.experiments.runs import RunSpec
from nbsrc.experiments.sizes import Sizes
from nbsrc.layer_norms import layer_norms, to_rows
from nbsrc.models import build_model
from nbsrc.training import EpochRecord, TrainingDiverged, train

__all__ = ["attacked", "execute", "initial_network"]

# Writing after every epoch costs a small network a fifth of its time.
_CHECKPOINT_SHARE = 0.05


def initial_network(run: RunSpec, data: ImageData, seed: int, start: Path | None) -> nn.Module:
    """Build the network of a run.

    Args:
        run: The run.
        data: The data, from which the number of classes and the size of an image come.
        seed: Seed of the weights.
        start: File with the weights to start from, None for fresh ones.

    Returns:
        The network, on the CPU.
    """
    classes = int(data.train_labels.max()) + 1
    channels, height, width = data.train_images.shape[1:]
    model = build_model(
        run.model,
        generator=torch.Generator().manual_seed(seed),
        classes=classes,
        small_images=True,
        width=run.width,
        image=(channels, height, width),
    )
    if start is not None:
        model.load_state_dict(torch.load(start, map_location="cpu", weights_only=True))
    return model


def execute(
    plan: ExperimentPlan,
    sizes: Sizes,
    run: RunSpec,
    seed: int,
    data: ImageData,
    model: nn.Module,
    checkpoint: Path,
) -> dict[str, Any]:
    """Train a network, measure it, and record both.

    Runs with one seed share the order of the images. A training that diverges is a result: it is
    recorded with the epochs before, and nothing is measured.

    Args:
        plan: The experiment.
        sizes: The tier's sizes.
        run: The run with these sizes.
        seed: The seed.
        data: The data, cut to the sizes.
        model: The network with its initial weights, on the device on which to train.
        checkpoint: File from which a killed training goes on.

    Returns:
        JSON values: ``status``, ``message``, ``seconds``, ``history`` and ``measures``.
    """
    shape = (1, *data.train_images.shape[1:])

    def norms(trained: nn.Module, epoch: int) -> list[dict[str, Any]]:
        ends = epoch in (0, run.settings.epochs)
        ords = plan.norms + (plan.end_norms if ends else ())
        return to_rows(layer_norms(trained, shape, ords=ords)) if ords else []

    start = time.perf_counter()
    status, message = "finished", ""
    try:
        history = train(
            model,
            data,
            run.settings,
            generator=torch.Generator().manual_seed(seed),
            recorder=norms,
            regularizer=build_regularizer(run.regularizer, model, shape, seed),
            schedule=build_described(run.schedule, SCHEDULES),
            augmentation=build_described(run.augmentation, AUGMENTATIONS),
            checkpoint=checkpoint,
            checkpoint_share=_CHECKPOINT_SHARE,
        )
    except TrainingDiverged as error:
        status, message, history = "diverged", str(error), error.history
    trained = time.perf_counter()
    limits = attacked(run, sizes)
    measures = {
        name: compute(spec, model, data, limits.get(name), seed)
        for name, spec in (run.measures.items() if status == "finished" else ())
    }
    return {
        "status": status,
        "message": message,
        "seconds": round(trained - start, 3),
        "measure_seconds": round(time.perf_counter() - trained, 3),
        "history": [_row(record) for record in history],
        "measures": measures,
    }


def attacked(run: RunSpec, sizes: Sizes) -> dict[str, int | None]:
    """Return how many test images each of a run's attacks is given.

    Args:
        run: The run.
        sizes: The tier's sizes.

    Returns:
        The number by name of measure, None for all; measures that attack nothing are left out.
    """
    return {
        name: sizes.attacked_by(name)
        for name, spec in run.measures.items()
        if spec["kind"] in ATTACKS
    }


def _row(record: EpochRecord) -> dict[str, Any]:
    """Return the record of an epoch as JSON values; what is not finite becomes a text."""
    row: Mapping[str, Any] = {
        "epoch": record.epoch,
        "train_loss": record.train_loss,
        "test_loss": record.test_loss,
        "test_accuracy": record.test_accuracy,
    }
    plain = {
        key: str(value) if isinstance(value, float) and not math.isfinite(value) else value
        for key, value in row.items()
    }
    return plain | ({"norms": record.recorded} if record.recorded else {})
