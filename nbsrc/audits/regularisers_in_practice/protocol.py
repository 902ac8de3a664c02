"""What the record holds of the paper's protocols, and the arithmetic of its settings."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from nbsrc.audits.finding import Case, collect
from nbsrc.audits.regularisers_in_practice.records import ATTACKS, NETS, Record, runs_of
from nbsrc.claims import Finding

__all__ = [
    "STRENGTHS",
    "audit_starts",
    "done",
    "epochs_of",
    "losses_by_strength",
    "policy_problems",
    "steps_of",
]

#: The paper's grid on MNIST.
STRENGTHS = (0.0001, 0.001, 0.01, 0.1, 0.2, 0.4, 0.8, 1.6)
#: What the paper prints (batch size) or refers to (Caffe's solver) for MNIST.
_PRINTED = {"batch_size": 64, "learning_rate": 0.01, "momentum": 0.9, "weight_decay": 5e-4}
_SCHEDULE = {"kind": "InverseDecay", "gamma": 1e-4, "power": 0.75}


def epochs_of(steps: int, images: int, batch: int = 64) -> float:
    """Return how many times a number of steps goes through the images.

    Args:
        steps: Number of steps.
        images: Number of training images.
        batch: Images per step.

    Returns:
        The number of epochs, of which the last batch may be smaller.
    """
    return steps / math.ceil(images / batch)


def steps_of(run: Mapping[str, Any], images: int) -> int:
    """Return the number of steps of a run.

    Args:
        run: The run.
        images: Number of training images; the last batch of an epoch may be smaller.

    Returns:
        The number of steps.
    """
    settings = run["settings"]
    return int(settings["epochs"] * math.ceil(images / settings["batch_size"]))


def policy_problems(runs: Sequence[Mapping[str, Any]], images: int, *, number: int) -> list[str]:
    """List how reference runs differ from the printed training.

    Args:
        runs: Reference runs of one network.
        images: Number of training images.
        number: Initialisations that are asked for.

    Returns:
        In words; nothing if solver, 50,000 steps (to an epoch) and initialisations are as printed.
    """
    problems: list[str] = []
    for run in runs:
        different = {k: run["settings"][k] for k, v in _PRINTED.items() if run["settings"][k] != v}
        if different or {k: run["schedule"][k] for k in _SCHEDULE} != _SCHEDULE:
            problems.append(f"settings {different or run['schedule']}")
        steps = steps_of(run, images)
        if abs(steps - 50_000) > math.ceil(images / run["settings"]["batch_size"]):
            problems.append(f"{steps:,} steps")
    problems = list(dict.fromkeys(problems))
    if len(runs) < number:
        problems.append(f"{len(runs)} initialisations")
    return problems


def audit_starts(record: Record, *, shift: int = 0) -> Finding:
    """Test that every tuned network began as the reference of its seed, which had no penalty.

    The accuracy before the first step must be the reference's last one.

    Args:
        record: The experiment.
        shift: Compare with the reference of another seed, for a control.

    Returns:
        The finding; the slack is minus the difference of the two accuracies.
    """
    cases: list[Case] = []
    for net in NETS:
        references = {run["seed"]: run for run in runs_of(record, net)}
        seeds = sorted(references)
        for run in record["runs"]:
            if run["axes"]["net"] != net or run["start"] is None or not run["history"]:
                continue
            other = references[seeds[(seeds.index(run["seed"]) + shift) % len(seeds)]]
            ends = other["history"][-1]["test_accuracy"], run["history"][0]["test_accuracy"]
            words = f"{run['label']}, seed {run['seed']}: {ends[0]:.4f}, {ends[1]:.4f}"
            plain = not other["regularizer"] and run["start"] == f"{net} reference"
            slack = -abs(ends[0] - ends[1]) if plain else -1.0
            cases.append((slack, (len(cases),), words))
    return collect(cases, tolerance=0.0, family="tuned runs")


def done(
    record: Record,
    penalties: Sequence[str],
    *,
    seeds: int = 10,
    strengths: Sequence[float] = STRENGTHS,
) -> dict[str, Any]:
    """Count what of the printed grid was done.

    Args:
        record: The experiment.
        penalties: Those of the paper.
        seeds: Initialisations of the paper.
        strengths: Its grid.

    Returns:
        ``printed`` and ``done`` runs with a penalty, ``pairs`` of network and penalty of which
        none is done, and ``unattacked``: finished runs that lack one of the four attacks.
    """
    count, missing, unattacked = 0, 0, 0
    for net in NETS:
        for penalty in penalties:
            here = [
                run
                for run in runs_of(record, net, penalty)
                if run["axes"]["strength"] in strengths and run["seed"] < seeds
            ]
            count += len(here)
            missing += not here
            unattacked += sum(
                run["status"] == "finished" and not set(ATTACKS) <= set(run["measures"])
                for run in here
            )
    printed = len(NETS) * len(penalties) * len(strengths) * seeds
    return {"printed": printed, "done": count, "pairs": missing, "unattacked": unattacked}


def losses_by_strength(record: Record, penalties: Sequence[str]) -> dict[str, dict[float, str]]:
    """Count runs that ended in NaN or infinity.

    Args:
        record: The experiment.
        penalties: The penalties that count.

    Returns:
        By penalty: "lost of done" by strength, where any was lost.
    """
    counts: dict[str, dict[float, str]] = {}
    for penalty in penalties:
        runs = [run for run in record["runs"] if run["axes"].get("penalty") == penalty]
        for strength in sorted({run["axes"]["strength"] for run in runs}):
            here = [run["status"] for run in runs if run["axes"]["strength"] == strength]
            lost = here.count("diverged")
            if lost:
                counts.setdefault(penalty, {})[strength] = f"{lost} of {len(here)}"
    return counts
