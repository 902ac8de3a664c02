"""Reading collected runs: which method, which norms, which plain run belongs to a run."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import mean
from typing import Any

__all__ = [
    "BATCH_NORM", "WEIGHTS", "Pair", "attacked", "by_method", "epoch_norms", "geometric_ratio",
    "method_of", "pairs", "strength_of"
]  # fmt: skip

Run = Mapping[str, Any]
#: Kinds of layers with a weight matrix, and batch norm.
WEIGHTS = ("conv", "linear")
BATCH_NORM = ("batch-norm",)
_ADVERSARIES = {"AdversarialTraining": "PGD-AT", "Trades": "TRADES", "LogitPairing": "ALP"}


@dataclass(frozen=True)
class Pair:
    """A run and the plain run of the same network and seed.

    Attributes:
        run: The run.
        plain: The plain one.
    """

    run: Run
    plain: Run

    @property
    def words(self) -> str:
        """The run in words."""
        return f"{self.run['label']}, seed {self.run['seed']}"


def method_of(run: Run) -> str:
    """Return how a run keeps norms small, or trains against attacks.

    Args:
        run: A run of a collected file.

    Returns:
        ``"plain"``, ``"weight decay"``, ``"clipping"``, ``"l1 norm decay"``,
        ``"linf norm decay"``, these with ``", BN to 5"``, ``"PGD-AT"``, ``"TRADES"`` or ``"ALP"``.

    Example:
        >>> method_of({"regularizer": [], "settings": {"weight_decay": 0.01}})
        'weight decay'
    """
    kinds = [part["kind"] for part in run["regularizer"] or ()]
    if not kinds:
        return "weight decay" if run["settings"]["weight_decay"] else "plain"
    first = run["regularizer"][0]
    if kinds[0] in _ADVERSARIES:
        return _ADVERSARIES[kinds[0]]
    if kinds[0] == "SingularValueClipping":
        return "clipping"
    name = f"l{first['order']} norm decay"
    return f"{name}, BN to {first_bound(run):g}" if "BatchNormProjection" in kinds else name


def first_bound(run: Run) -> float:
    """Return the bound of a run's projection of batch norm.

    Args:
        run: A run that has one.

    Returns:
        The bound.
    """
    parts = run["regularizer"]
    return float(next(p["bound"] for p in parts if p["kind"] == "BatchNormProjection"))


def strength_of(run: Run) -> float | None:
    """Return the strength of a run's regulariser.

    Args:
        run: A run.

    Returns:
        The value of the axis ``strength``, None without one.
    """
    value = run["axes"].get("strength")
    return None if value is None else float(value)


def epoch_norms(
    epoch: Mapping[str, Any], order: str, kinds: Sequence[str] = WEIGHTS
) -> dict[str, float]:
    """Return the norms of one epoch by layer.

    Args:
        epoch: An entry of a run's history.
        order: ``"l1"``, ``"linf"`` or ``"l2_upper"``.
        kinds: The kinds of layers wanted.

    Returns:
        The positive, known norms.
    """
    rows = (row for row in epoch.get("norms", ()) if row["kind"] in kinds)
    return {row["name"]: row[order] for row in rows if row[order]}


def geometric_ratio(one: Mapping[str, float], two: Mapping[str, float]) -> float:
    """Return the geometric mean over layers of the ratio of two norms.

    Args:
        one: Norms by layer.
        two: Norms of the same layers.

    Returns:
        The mean ratio of ``one`` to ``two``.

    Raises:
        ValueError: If they have no layer in common.

    Example:
        >>> geometric_ratio({"a": 8.0, "b": 1.0}, {"a": 2.0, "b": 1.0})
        2.0
    """
    common = [name for name in one if name in two]
    if not common:
        raise ValueError(f"one and two must share a layer, got {list(one)} and {list(two)}")
    return math.exp(mean(math.log(one[name] / two[name]) for name in common))


def pairs(runs: Iterable[Run], *, methods: Sequence[str] | None = None) -> list[Pair]:
    """Return the finished runs that have a plain partner, without the plain ones.

    Args:
        runs: Runs of collected files of one experiment.
        methods: The methods wanted, all without it.

    Returns:
        The pairs in the order of the runs.
    """
    done = [run for run in runs if run["status"] == "finished"]
    plain = {_place(run): run for run in done if method_of(run) == "plain"}
    return [
        Pair(run, plain[_place(run)])
        for run in done
        if method_of(run) != "plain"
        and _place(run) in plain
        and (methods is None or method_of(run) in methods)
    ]


def by_method(runs: Iterable[Run]) -> dict[tuple[str, str, float | None], list[Run]]:
    """Group finished runs over their seeds.

    Args:
        runs: The runs.

    Returns:
        The runs by network, method and strength.
    """
    found: dict[tuple[str, str, float | None], list[Run]] = {}
    for run in runs:
        if run["status"] == "finished":
            key = (run["model"]["name"], method_of(run), strength_of(run))
            found.setdefault(key, []).append(run)
    return found


def attacked(runs: Iterable[Run], measure: str = "PGD") -> float:
    """Return the mean accuracy under an attack.

    Args:
        runs: Runs of several seeds.
        measure: Name of the measure.

    Returns:
        The mean over the runs.
    """
    return float(mean(run["measures"][measure]["value"] for run in runs))


def _place(run: Run) -> tuple[str, int]:
    """Return network and seed."""
    return run["model"]["name"], run["seed"]
