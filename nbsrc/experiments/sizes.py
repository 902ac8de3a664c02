"""The tiers of an experiment: what they may change is sizes, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from nbsrc.experiments.schema import first_match, number, table, text

__all__ = ["TIERS", "Sizes", "read_sizes"]

TIERS = ("smoke", "book", "paper")
_COUNTS = ("epochs", "tuning_epochs", "seeds", "attacked")
_IMAGES = ("train_images", "test_images")
_FURTHER = ("width", "runs", "measures", "of", "reductions")
_MEASURE_SIZES = ("steps", "binary_search_steps", "restarts", "images")


@dataclass(frozen=True)
class Sizes:
    """What a tier changes.

    Where a count may be a mapping, its keys are shell patterns for labels (for ``attacked``: for
    names of measures), and the first that fits counts.

    Attributes:
        tier: The tier's name.
        epochs: Epochs of a run.
        tuning_epochs: Epochs of a run that starts from another one; None for ``epochs``.
        seeds: Number of seeds; the seeds are 0, 1, ...
        train_images: Training images used, None for all.
        test_images: Test images used, None for all.
        attacked: Test images that a measure attacks, None for all.
        width: Factor of every network's width.
        runs: Patterns for the labels of the runs that the tier has.
        measures: Sizes of single measures: steps, restarts, images.
        of: The tier of which this one is a reduced form, None for the three usual ones.
        reductions: What was reduced and why, in words.
    """

    tier: str
    epochs: int | Mapping[str, int]
    tuning_epochs: int | Mapping[str, int] | None = None
    seeds: int | Mapping[str, int] = 1
    train_images: int | None = None
    test_images: int | None = None
    attacked: int | Mapping[str, int] | None = None
    width: float = 1.0
    runs: tuple[str, ...] = ("*",)
    measures: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    of: str | None = None
    reductions: str | None = None

    def takes(self, label: str) -> bool:
        """Say whether the tier has a run.

        Args:
            label: The run's label.

        Returns:
            Whether a pattern fits.
        """
        return any(fnmatchcase(label, pattern) for pattern in self.runs)

    def epochs_of(self, label: str, *, tuning: bool) -> int:
        """Return the epochs of a run.

        Args:
            label: The run's label.
            tuning: Whether it starts from another run.

        Returns:
            The number.
        """
        own = self.tuning_epochs if tuning and self.tuning_epochs is not None else self.epochs
        return int(first_match(f"tiers.{self.tier}.epochs", own, label))

    def seeds_of(self, label: str) -> int:
        """Return the number of seeds of a run.

        Args:
            label: The run's label.

        Returns:
            The number.
        """
        return int(first_match(f"tiers.{self.tier}.seeds", self.seeds, label))

    def attacked_by(self, measure: str) -> int | None:
        """Return how many test images a measure attacks.

        Args:
            measure: The measure's name.

        Returns:
            The number, None for all.
        """
        if self.attacked is None:
            return None
        return int(first_match(f"tiers.{self.tier}.attacked", self.attacked, measure))

    def as_dict(self) -> dict[str, Any]:
        """Return everything as JSON values.

        Returns:
            The attributes.
        """
        return asdict(self) | {"runs": list(self.runs)}


def read_sizes(tier: str, value: object) -> Sizes:
    """Read the sizes of a tier.

    Args:
        tier: Its name; one besides the usual three needs ``of`` and ``reductions``.
        value: What the file says.

    Returns:
        The sizes.

    Raises:
        ValueError: If a key is unknown or missing, or a size is not a positive integer.
    """
    where = f"tiers.{tier}"
    extra = () if tier in TIERS else ("of", "reductions")
    whole = table(where, value, (*_COUNTS, *_IMAGES, *_FURTHER), ("epochs", *extra))
    sizes: dict[str, Any] = {}
    for key in (*_COUNTS, *_IMAGES):
        size = whole.get(key)
        if key in whole and not (size == "all" and key not in {"epochs", "tuning_epochs", "seeds"}):
            sizes[key] = _count(f"{where}.{key}", size, patterns=key in _COUNTS)
    if "width" in whole:
        sizes["width"] = float(number(f"{where}.width", whole["width"], whole=False))
        if not sizes["width"] > 0:
            raise ValueError(f"{where}.width must be positive, got {whole['width']}")
    if "runs" in whole:
        if not isinstance(whole["runs"], list):
            raise ValueError(f"{where}.runs must be a list of patterns, got {whole['runs']!r}")
        sizes["runs"] = tuple(text(f"{where}.runs", pattern) for pattern in whole["runs"])
    if "of" in whole:
        if tier in TIERS or whole["of"] not in TIERS:
            raise ValueError(f"{where}.of is for further tiers, one of {TIERS}; {whole['of']!r}")
        sizes["of"] = whole["of"]
    if "reductions" in whole:
        sizes["reductions"] = text(f"{where}.reductions", whole["reductions"])
    sizes["measures"] = _measures(where, whole.get("measures", {}))
    return Sizes(tier=tier, **sizes)


def _count(where: str, value: object, *, patterns: bool) -> Any:
    """Return a positive integer, or a mapping from patterns to such.

    Raises:
        ValueError: If it is neither.
    """
    if patterns and isinstance(value, dict):
        return {
            str(key): number(f"{where}.{key}", size, whole=True, minimum=1)
            for key, size in table(where, value, None).items()
        }
    return number(where, value, whole=True, minimum=1)


def _measures(where: str, value: object) -> dict[str, dict[str, int]]:
    """Return the sizes of single measures.

    Raises:
        ValueError: If something else than a size is changed.
    """
    if value == {}:
        return {}
    return {
        name: {
            key: number(f"{where}.measures.{name}.{key}", size, whole=True, minimum=1)
            for key, size in table(f"{where}.measures.{name}", own, _MEASURE_SIZES).items()
        }
        for name, own in table(f"{where}.measures", value, None).items()
    }
