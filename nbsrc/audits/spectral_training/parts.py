"""A claim of several parts, each with a bar: which hold where, and whether they could fail."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from nbsrc.audits.finding import Case, collect
from nbsrc.audits.spectral_training.records import Group
from nbsrc.audits.spectral_training.shams import shams
from nbsrc.claims import Finding

__all__ = [
    "Judgement",
    "Parts",
    "Rule",
    "all_hold",
    "errors",
    "judge",
    "more",
    "near",
    "over",
    "ratio",
    "shown",
]

Parts = dict[str, Finding]
Rule = Callable[[Group], Parts]


@dataclass(frozen=True)
class Judgement:
    """What of a claim holds in which experiment.

    Attributes:
        parts: The parts by experiment.
        unbroken: Parts that hold, and hold in every sham as well: they cannot fail.
    """

    parts: Mapping[str, Parts]
    unbroken: tuple[str, ...] = ()

    @property
    def word(self) -> str:
        """``"reproduced"`` if all parts hold, ``"not-reproduced"`` if none, else in between."""
        flags = [part.holds for parts in self.parts.values() for part in parts.values()]
        if all(flags):
            return "reproduced"
        return "partly-reproduced" if any(flags) else "not-reproduced"

    @property
    def controlled(self) -> bool:
        """Whether some part holds, and each that does fails in a sham."""
        flags = [part.holds for parts in self.parts.values() for part in parts.values()]
        return any(flags) and not self.unbroken

    def summary(self) -> dict[str, str]:
        """How many parts hold in each experiment, and which do not.

        Returns:
            A line for each experiment.
        """
        lines = {}
        for name, parts in self.parts.items():
            missed = [part for part, finding in parts.items() if not finding.holds]
            count = f"{len(parts) - len(missed)} of {len(parts)} parts"
            lines[name] = count + (f"; not: {', '.join(missed)}" if missed else "")
        return lines

    def table(self) -> str:
        """The parts as a Markdown table with a column for each experiment.

        Returns:
            The table: yes or no, the mean over the seeds of the number compared, and the worst
            seed's, which decides.
        """
        names = list(dict.fromkeys(name for parts in self.parts.values() for name in parts))
        lines = [
            "| part | " + " | ".join(self.parts) + " |",
            "| --- |" + " --- |" * len(self.parts),
        ]
        for name in names:
            cells = []
            for parts in self.parts.values():
                found = parts.get(name)
                cells.append("–" if found is None
                             else f"{'yes' if found.holds else 'no'} ({shown(found)})")  # fmt: skip
            lines.append(f"| {name} | " + " | ".join(cells) + " |")
        return "\n".join(lines)


def judge(rule: Rule, groups: Mapping[str, Group]) -> Judgement:
    """Test a rule on experiments, and every part that holds against the shams.

    Args:
        rule: The claim's parts on a group of runs.
        groups: The groups by experiment.

    Returns:
        The judgement.
    """
    parts = {name: rule(group) for name, group in groups.items()}
    unbroken = []
    for name, group in groups.items():
        false = [rule(sham) for sham in shams(group)]
        for part, finding in parts[name].items():
            if finding.holds and all(part not in f or f[part].holds for f in false):
                unbroken.append(f"{name}: {part}")
    return Judgement(parts, tuple(unbroken))


def all_hold(parts: Mapping[str, Finding]) -> bool:
    """Return whether all parts of a claim hold.

    Args:
        parts: Findings by name.

    Returns:
        Whether they do.
    """
    return all(part.holds for part in parts.values())


def shown(finding: Finding) -> str:
    """Return the number of a finding of :func:`over`.

    Args:
        finding: The finding.

    Returns:
        The mean over the seeds, to three digits, and the number of the worst seed.
    """
    return finding.family.rsplit("mean ", 1)[-1]


def over(name: str, slacks: Sequence[float], numbers: Sequence[float]) -> Finding:
    """Collect one number per seed, or one mean over them; the claim must hold for each.

    Args:
        name: What the number is.
        slacks: The slack of each.
        numbers: The numbers.

    Returns:
        The finding.
    """
    cases: list[Case] = [
        (slack, (place,), {"place": place, name: round(value, 4)})
        for place, (slack, value) in enumerate(zip(slacks, numbers, strict=True))
    ]
    middle = sum(numbers) / max(len(numbers), 1)
    family = f"{name}, numbers: {len(cases)}, mean {middle:.3g}"
    if len(cases) > 1:  # a claim must hold for each, so the worst decides
        family += f", worst {numbers[list(slacks).index(min(slacks))]:.3g}"
    return collect(cases, tolerance=1e-9, family=family)


def ratio(one: Sequence[float], two: Sequence[float], most: float) -> Finding:
    """Test that quotients are at most a bound.

    Args:
        one: Numerators by seed.
        two: Denominators; of the seeds that both have.
        most: The bound.

    Returns:
        The finding.
    """
    values = [a / b for a, b in zip(one, two, strict=False)]
    return over("ratio", [most - value for value in values], values)


def more(one: Sequence[float], two: Sequence[float], least: float) -> Finding:
    """Test that differences are at least a bound.

    Args:
        one: Numbers by seed.
        two: What is taken from them; of the seeds that both have.
        least: The bound.

    Returns:
        The finding.
    """
    values = [a - b for a, b in zip(one, two, strict=False)]
    return over("difference", [value - least for value in values], values)


def near(one: Sequence[float], two: Sequence[float], most: Sequence[float] | float) -> Finding:
    """Test that numbers differ by at most a bound.

    Args:
        one: Numbers by seed.
        two: Others; of the seeds that both have.
        most: The bound, or one for each seed.

    Returns:
        The finding.
    """
    values = [a - b for a, b in zip(one, two, strict=False)]
    limits = [most] * len(values) if isinstance(most, float | int) else list(most)
    slacks = [m - abs(v) for m, v in zip(limits, values, strict=False)]
    return over("difference", slacks, values)


def errors(one: Sequence[float], two: Sequence[float]) -> list[float]:
    """Return two standard errors of differences.

    Args:
        one: Standard errors by seed.
        two: Those of the others.

    Returns:
        Twice the root of the sum of squares, for the seeds that both have.
    """
    return [2 * (a * a + b * b) ** 0.5 for a, b in zip(one, two, strict=False)]
