"""Record how far the classes of digits, MNIST and CIFAR-10 are apart (results/A_separation.json).

``python -m nbsrc.separation_record --output FILE`` needs MNIST and CIFAR-10 in the data root
(``NBSRC_DATA``) and takes minutes per norm on one core.
"""

from __future__ import annotations

import argparse
import itertools
import json
import logging
import math
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.spatial.distance import cdist
from torch import Tensor

from nbsrc.data import load_data
from nbsrc.files import write_json_atomic
from nbsrc.provenance import provenance
from nbsrc.separation import Separation, separation

__all__ = ["NORMS", "QUOTED", "as_levels", "digit_levels", "main", "measure", "spot_check"]

log = logging.getLogger(__name__)

NORMS: dict[str, float] = {"l1": 1, "l2": 2, "linf": math.inf}
#: linf separations of images in [0, 1] that Yang et al. (2020) are quoted for.
QUOTED: dict[str, dict[str, float]] = {
    "mnist": {"train": 0.737, "test_train": 0.812},
    "cifar10": {"train": 0.212, "test_train": 0.220},
}
_SETS = ("digits", "mnist", "cifar10")
_CHECKED = 100
_BINS = 40


def digit_levels() -> tuple[Tensor, Tensor]:
    """Return all of scikit-learn's digits as integers from 0 to 16, in scikit-learn's order.

    Returns:
        Images, uint8 ``[1797, 1, 8, 8]``, and labels, int64 ``[1797]``.
    """
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    return torch.from_numpy(images).to(torch.uint8).reshape(-1, 1, 8, 8), torch.from_numpy(labels)


def as_levels(images: Tensor, divisor: int) -> Tensor:
    """Undo the division of images by 255 or 16 exactly.

    Args:
        images: Floats in [0, 1].
        divisor: What the integers were divided by.

    Returns:
        The integers, uint8 of the same shape.

    Raises:
        ValueError: If an image is not an integer divided by ``divisor``.

    Example:
        >>> as_levels(torch.tensor([[0.0, 1.0]]), 255)
        tensor([[  0, 255]], dtype=torch.uint8)
    """
    levels = (images * divisor).round()
    if not torch.equal(levels.div(divisor), images) or levels.min() < 0 or levels.max() > 255:
        raise ValueError(f"images must be integers from 0 to 255 divided by divisor={divisor}")
    return levels.to(torch.uint8)


def measure(
    points: tuple[Tensor, Tensor], against: tuple[Tensor, Tensor] | None, norm: str, divisor: int
) -> tuple[dict[str, Any], Separation]:
    """Compute a separation and describe it in plain JSON values.

    Args:
        points: Images as integers, and labels.
        against: A second set, or None.
        norm: A key of ``NORMS``.
        divisor: What distances are divided by.

    Returns:
        Numbers, pair, quantiles, histogram and seconds; and the separation itself.

    Raises:
        ValueError: If no two points have different classes.
    """
    start = time.perf_counter()
    found = separation(*points, NORMS[norm], against=against, divisor=divisor)
    seconds = time.perf_counter() - start
    if found.pair is None:
        raise ValueError("points must have at least two classes, got one")
    nearest = found.nearest.numpy()
    top = 1.0 if norm == "linf" else float(f"{nearest.max() * 1.01:.3g}")
    counts = np.histogram(nearest, bins=_BINS, range=(0, top))[0]
    second = points if against is None else against
    levels = found.distance * divisor
    return {
        "distance": found.distance,
        "levels": round(levels**2) if norm == "l2" else round(levels),
        "pair": list(found.pair),
        "pair_labels": [int(points[1][found.pair[0]]), int(second[1][found.pair[1]])],
        "contradictions": [list(pair) for pair in found.contradictions],
        "points": len(nearest),
        "quantiles": {
            str(q): float(f"{np.quantile(nearest, q):.6g}") for q in (0.01, 0.1, 0.5, 0.9, 1)
        },
        "histogram": {"top": top, "counts": counts.tolist()},
        "seconds": float(f"{seconds:.3g}"),
    }, found


def spot_check(
    found: Separation, points: tuple[Tensor, Tensor], against: tuple[Tensor, Tensor] | None,
    divisor: int, *, count: int = _CHECKED, seed: int = 0,
) -> dict[str, Any]:  # fmt: skip
    """Compare some points with every point of another class in float64, one by one.

    Args:
        found: What is to be checked.
        points: The images and labels it was computed from.
        against: The second set, or None.
        divisor: What distances were divided by.
        count: How many random points; those of the closest pair come first.
        seed: Seed of their choice.

    Returns:
        How many points were checked, and the largest difference of a nearest distance.
    """
    x, y = points
    others, other_labels = points if against is None else against
    rng = np.random.default_rng(seed)
    chosen = rng.choice(len(x), min(count, len(x)), replace=False)
    if found.pair is not None:
        chosen[0] = found.pair[0]
    metric = {1: "cityblock", 2: "euclidean", math.inf: "chebyshev"}[found.ord]
    nearest = np.full(len(chosen), np.inf)
    rows = x[chosen].flatten(1).double().numpy()
    for part in torch.arange(len(others)).split(2000):
        distances = cdist(rows, others[part].flatten(1).double().numpy(), metric)
        distances[(y[chosen][:, None] == other_labels[part][None]).numpy()] = np.inf
        nearest = np.minimum(nearest, distances.min(axis=1))
    gap = np.abs(nearest / divisor - found.nearest.numpy()[chosen]).max()
    return {"points": len(chosen), "largest_difference": float(gap)}


def _parts(name: str) -> tuple[int, dict[str, tuple[Any, Any]]]:
    """Return the divisor and the sets to compare, each with the second set or None.

    The images of CIFAR-10 that its shards mark as JPEG copies are compared with all others too, so
    that a reader can tell whether the other numbers rest on them.
    """
    if name == "digits":
        return 16, {"all": (digit_levels(), None)}
    data = load_data(name)
    train = (as_levels(data.train_images, 255), data.train_labels)
    test = (as_levels(data.test_images, 255), data.test_labels)
    parts: dict[str, tuple[Any, Any]] = {
        "train": (train, None),
        "test_train": (test, train),
        "test": (test, None),
    }
    copies = _copies(name)
    if copies is not None:
        both = tuple(torch.cat(pair) for pair in zip(train, test, strict=True))
        parts["copies"] = ((both[0][copies], both[1][copies]), both)
    return 255, parts


def _copies(name: str) -> Tensor | None:
    """Return which images, training ones first, the shards mark as not exact; None if none do."""
    root = Path(os.environ.get("NBSRC_DATA", ""))
    shards = [*sorted(root.glob(f"{name}_train*.npz")), *sorted(root.glob(f"{name}_test.npz"))]
    flags = []
    for shard in shards:
        with np.load(shard, allow_pickle=False) as archive:
            if "exact" not in archive.files:
                return None
            flags.append(archive["exact"])
    return ~torch.from_numpy(np.concatenate(flags)) if flags else None


def main(argv: Sequence[str] | None = None) -> int:
    """Record the separations of the data sets asked for; what the output has is not done again.

    Args:
        argv: The command's arguments.

    Returns:
        The exit status, 0.
    """
    parser = argparse.ArgumentParser(prog="python -m nbsrc.separation_record", description=__doc__)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--data", nargs="+", choices=_SETS, default=list(_SETS))
    parser.add_argument("--norms", nargs="+", choices=sorted(NORMS), default=list(NORMS))
    parser.add_argument("--remark", default="", help="what a reader of the seconds should know")
    options = parser.parse_args(argv)
    results = _begin(options.output, options.remark)
    for name in options.data:
        divisor, parts = _parts(name)
        entry = results["sets"].setdefault(name, {"divisor": divisor})
        for norm, part in itertools.product(options.norms, parts):
            done = entry.setdefault(part, {})
            if norm in done:
                continue
            points, against = parts[part]
            numbers, found = measure(points, against, norm, divisor)
            numbers["spot_check"] = spot_check(found, points, against, divisor)
            done[norm] = numbers
            log.info("%s %s %s: %s, %s s", name, part, norm, found.distance, numbers["seconds"])
            write_json_atomic(options.output, results)
    return 0


def _begin(output: Path, remark: str) -> dict[str, Any]:
    """Return the results so far, to be continued after an interruption."""
    if output.is_file():
        begun: dict[str, Any] = json.loads(output.read_text(encoding="utf-8"))
        return begun
    quoted = {"norm": "linf", "source": "Yang et al. 2020, as remembered, not read again", **QUOTED}
    return {"provenance": provenance(), "remark": remark, "quoted": quoted, "sets": {}}


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    raise SystemExit(main())
