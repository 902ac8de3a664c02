"""Records for the chapter on paper D's training runs: what needs MNIST, CIFAR-10 or a clock.

``python -m benchmarks.penalties PART`` writes results/D_penalty_PART.json:

- ``times``: a training step with each penalty and with adversarial training, over a plain step;
- ``divergence``: LeNet-5 on ten digits and a VGG-like network on CIFAR-10, tuned with strong
  penalties until something is not finite;
- ``pgd``: recorded reference networks attacked with other settings of PGD.
"""

from __future__ import annotations

import argparse
import copy
import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.regularizers import step
from nbsrc.attacks import fgsm, pgd
from nbsrc.audits.regularisers_in_practice.divergence import sharpness, stable_strength, tune
from nbsrc.audits.regularisers_in_practice.passes import PENALTIES, training_flops
from nbsrc.data import load_data
from nbsrc.files import project_root, write_json_atomic
from nbsrc.models import build_model
from nbsrc.operator_norm import CrossEntropy
from nbsrc.provenance import provenance
from nbsrc.regularizers import CrossLipschitz, JacobianPenalty, Threat
from nbsrc.regularizers.threat import adversarial_points
from nbsrc.timing import time_calls

RATE, MOMENTUM, BATCH = 0.01, 0.9, 64


def main(argv: Sequence[str] | None = None) -> int:
    """Record one part."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.penalties", description=__doc__)
    parser.add_argument("part", choices=PARTS)
    parser.add_argument("--output", type=Path, help="the file, results/D_penalty_PART.json")
    parser.add_argument("--weights", type=Path, help="folder of recorded weights, for pgd")
    parser.add_argument(
        "--data", nargs="+", default=["mnist", "cifar10"], help="for divergence: what to run"
    )
    parser.add_argument("--remark", help="what a reader of the results should know")
    options = parser.parse_args(argv)
    torch.set_num_threads(1)
    results = {
        "provenance": provenance(), "remark": options.remark, "rows": PARTS[options.part](options)
    }  # fmt: skip
    output = options.output or project_root() / "results" / f"D_penalty_{options.part}.json"
    write_json_atomic(output, results)
    return 0


def _times(_: argparse.Namespace) -> list[dict[str, Any]]:
    """Time steps in turns, for two and ten classes, and count their operations."""
    rows = []
    for net in ("lenet_300_100", "lenet5"):
        for classes in (2, 10):
            draw = torch.Generator().manual_seed(0)
            model = build_model(net, generator=draw, classes=classes)
            x = torch.rand(BATCH, 1, 28, 28, generator=draw)
            y = torch.randint(classes, (BATCH,), generator=draw)
            steps = {name: step(model, x, y, make(draw)) for name, make in PENALTIES.items()}
            timings = time_calls(steps, 40, budget=15.0)
            plain = timings["plain"].median
            counted = {n: training_flops(model, x, y, make(draw)) for n, make in PENALTIES.items()}
            rows.append({
                "net": net, "classes": classes, "batch": BATCH,
                "timings": {name: timing.as_dict() for name, timing in timings.items()},
                "ratios": {name: timing.median / plain for name, timing in timings.items()},
                "operations": {n: count / counted["plain"] for n, count in counted.items()},
            })  # fmt: skip
    return rows


#: Data, network, width, steps of the reference, seeds, strengths, most steps, penalties.
DIVERGENCE: list[dict[str, Any]] = [
    {"data": "mnist", "net": "lenet5", "width": 1.0, "reference": 2814, "seeds": [0],
     "strengths": [1.6, 3.2, 6.4, 12.8, 25.6], "steps": 250, "penalties": [JacobianPenalty]},
    {"data": "mnist", "net": "lenet5", "width": 1.0, "reference": 2814, "seeds": [1],
     "strengths": [1.6, 3.2, 6.4], "steps": 250, "penalties": [JacobianPenalty]},
    {"data": "cifar10", "net": "vgg_like", "width": 0.25, "reference": 400, "seeds": [0],
     "strengths": [0.1], "steps": 40, "penalties": [JacobianPenalty, CrossLipschitz]},
]  # fmt: skip


def _divergence(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Tune references with strong penalties; where that fails, again with clipped gradients."""
    path = _partial()
    rows: list[dict[str, Any]] = json.loads(path.read_text()) if path.is_file() else []
    rows = [row for row in rows if row["data"] not in options.data]
    for plan in DIVERGENCE:
        if plan["data"] not in options.data:
            continue
        data = load_data(plan["data"])
        for seed in plan["seeds"]:
            model = build_model(
                plan["net"], generator=torch.Generator().manual_seed(seed), width=plan["width"]
            )
            images, labels = data.train_images, data.train_labels
            tune(model, images, labels, None, steps=plan["reference"], seed=seed,
                 learning_rate=RATE, momentum=MOMENTUM)  # fmt: skip
            model.eval()
            with torch.no_grad():
                right = model(data.test_images[:2000]).argmax(1) == data.test_labels[:2000]
            sharp = sharpness(model, images[:BATCH], iterations=15)
            row = {
                "data": plan["data"], "net": plan["net"], "width": plan["width"], "seed": seed,
                "reference_steps": plan["reference"], "accuracy": float(right.float().mean()),
                "sharpness": sharp, "stable_strength": stable_strength(sharp, RATE, MOMENTUM),
                "steps": plan["steps"], "runs": [],
            }  # fmt: skip
            rows.append(row)
            for kind in plan["penalties"]:
                for strength in plan["strengths"]:
                    for clip in (None, 1.0):
                        if clip is not None and row["runs"][-1]["failed"] is None:
                            continue
                        found = tune(
                            copy.deepcopy(model).train(), images, labels, kind(strength),
                            steps=plan["steps"], seed=seed + 100, learning_rate=RATE,
                            momentum=MOMENTUM, clip=clip,
                        )  # fmt: skip
                        row["runs"].append(_outcome(kind.__name__, strength, clip, found))
                        print(plan["data"], seed, row["runs"][-1], flush=True)
            write_json_atomic(path, rows)
    return rows


def _partial() -> Path:
    """Return the file of finished rows, so that parts can be recorded one by one."""
    return project_root() / "build" / "D_penalty_divergence.partial.json"


def _outcome(
    penalty: str, strength: float, clip: float | None, found: dict[str, Any]
) -> dict[str, Any]:
    """Keep the first and the last finite values of the penalty."""
    finite = [value for value in found["penalties"] if math.isfinite(value)]
    return {
        "penalty": penalty, "strength": strength, "clip": clip, "failed": found["failed"],
        "first": found["first"], "first_penalties": finite[:5], "last_penalty": finite[-1],
        "largest_penalty": max(finite),
    }  # fmt: skip


def _pgd(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Attack the recorded references of two classes, 500 images, with other settings."""
    data = load_data("mnist").only([1, 7])
    x, y = data.test_images[:500], data.test_labels[:500]
    rows = []
    for path in sorted(options.weights.glob("reference-s*.weights.pt")):
        model = build_model("lenet_300_100", generator=torch.Generator(), classes=2)
        model.load_state_dict(torch.load(path, weights_only=True))
        model.eval()
        rows.append({"weights": path.name, "images": len(x), "settings": _settings(model, x, y)})
        print(rows[-1], flush=True)
    return rows


def _settings(model: nn.Module, x: Tensor, y: Tensor) -> dict[str, float]:
    """Return the accuracy that each setting leaves at eps = 0.1, and what larger ones leave."""

    def free(steps: int, alpha: float, eps: float = 0.1) -> float:
        threat = Threat(eps, alpha=alpha, steps=steps)
        moved = adversarial_points(model, x, CrossEntropy(y), threat)
        return float((model(moved).argmax(1) == y).float().mean())

    def clipped(eps: float = 0.1, **settings: Any) -> float:
        return pgd(model, x, y, eps, **settings).accuracy.value

    attempts: dict[str, Callable[[], float]] = {
        "clean": lambda: float((model(x).argmax(1) == y).float().mean()),
        "40 steps of 0.01": lambda: clipped(steps=40, alpha=0.01),
        "40 steps of 0.01, 5 restarts": lambda: clipped(steps=40, alpha=0.01, restarts=5),
        "200 steps of 0.002": lambda: clipped(steps=200, alpha=0.002),
        "40 steps of 0.01, pixels not clipped": lambda: free(40, 0.01),
        "FGSM": lambda: fgsm(model, x, y, 0.1).accuracy.value,
        "FGSM, pixels not clipped": lambda: free(1, math.inf),
    }
    for eps in (0.12, 0.15, 0.2):
        attempts[f"40 steps of eps/10, eps {eps:g}"] = lambda eps=eps: clipped(
            eps, steps=40, alpha=eps / 10
        )
    return {name: attempt() for name, attempt in attempts.items()}


PARTS: dict[str, Callable[[argparse.Namespace], list[dict[str, Any]]]] = {
    "times": _times,
    "divergence": _divergence,
    "pgd": _pgd,
}

if __name__ == "__main__":
    raise SystemExit(main())
