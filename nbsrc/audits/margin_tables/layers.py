"""Appendix B.2: totals and averages over layers, and the numbers of layers that they imply."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from nbsrc import claims
from nbsrc.audits.finding import Case, collect
from nbsrc.audits.margin_tables.intervals import Interval, rounded, truncated, units
from nbsrc.claims import Finding

__all__ = [
    "Group", "Repair", "audit_layers", "audit_magnitude", "audit_whole", "basic_layers",
    "bottleneck_layers", "ratio", "read_groups", "repairs", "split", "with_total"
]  # fmt: skip


@dataclass(frozen=True)
class Group:
    """Layers whose spread of singular values fell, or rose, with their total and average.

    Attributes:
        dataset: The data set.
        name: ``"falling"`` or ``"rising"``.
        total: Printed total in units of its last place.
        total_decimals: Decimals of the total.
        average: Printed average in units of its last place.
        average_decimals: Decimals of the average.
        cut: Whether digits are read as cut off instead of rounded.
    """

    dataset: str
    name: str
    total: int
    total_decimals: int
    average: int
    average_decimals: int
    cut: bool = False

    @property
    def totals(self) -> Interval:
        """The totals that are printed so."""
        read = truncated if self.cut else rounded
        return read(self.total, self.total_decimals)

    @property
    def averages(self) -> Interval:
        """The averages that are printed so."""
        read = truncated if self.cut else rounded
        return read(self.average, self.average_decimals)

    @property
    def layers(self) -> Interval:
        """The numbers of layers that total and average allow."""
        return self.totals / self.averages

    @property
    def words(self) -> str:
        """The group with its printed numbers."""
        total = f"{self.total / 10**self.total_decimals:.{self.total_decimals}f}"
        average = f"{self.average / 10**self.average_decimals:.{self.average_decimals}f}"
        return f"{self.dataset}, {self.name}: total {total}, average {average}"


@dataclass(frozen=True)
class Repair:
    """A way to make total and average of a group agree.

    Attributes:
        words: What is changed.
        layers: Number of layers in the group.
        total: The total after the change.
        average: The average after the change.
    """

    words: str
    layers: int
    total: Fraction
    average: Fraction


def read_groups(claim_id: str) -> tuple[Group, Group]:
    """Read the two groups of a data set from the ledger.

    Args:
        claim_id: ``"C.B2.c10"`` or ``"C.B2.c100"``.

    Returns:
        Falling and rising layers.

    Raises:
        ValueError: If the row holds no such groups.
    """
    data = claims.row(claim_id).data
    if not isinstance(data, Mapping) or set(data) != {"group1", "group2"}:
        raise ValueError(f"claim_id must name a row with two groups, got {claim_id!r}")
    dataset = {"C.B2.c10": "CIFAR10", "C.B2.c100": "CIFAR100"}[claim_id]
    one, two = (
        _group(dataset, name, data[key])
        for key, name in (("group1", "falling"), ("group2", "rising"))
    )
    return one, two


def _group(dataset: str, name: str, printed: Mapping[str, float]) -> Group:
    places = {key: len(str(printed[key]).partition(".")[2]) for key in ("sum", "avg")}
    total, average = units(printed["sum"], places["sum"]), units(printed["avg"], places["avg"])
    return Group(dataset, name, total, places["sum"], average, places["avg"])


def audit_whole(groups: Sequence[Group]) -> Finding:
    """Test that total over average allows a whole number of layers in every group.

    Args:
        groups: The groups.

    Returns:
        A finding over the groups; the slack is 0, or minus the distance of the interval from the
        next whole number.
    """

    def cases() -> Iterator[Case]:
        for number, group in enumerate(groups):
            span = group.layers
            if span.whole_numbers():
                yield 0.0, (number,), group.words
                continue
            below, above = span.low % 1, 1 - span.high % 1
            text = f"{group.words}: {span.text(3)} layers"
            yield -float(min(below, above)), (number,), text

    return collect(cases(), tolerance=0, family=f"{len(groups)} groups of layers")


def split(groups: Sequence[Group]) -> list[tuple[int, ...]]:
    """Return all ways to give every group a whole number of layers.

    Args:
        groups: The groups.

    Returns:
        Tuples with a number per group; empty if a group has none.
    """
    ways: list[tuple[int, ...]] = [()]
    for group in groups:
        ways = [(*way, n) for way in ways for n in group.layers.whole_numbers()]
    return ways


def audit_layers(groups: Sequence[Group], layers: int) -> Finding:
    """Test that the groups can be all layers of a network.

    Args:
        groups: The groups.
        layers: Number of layers.

    Returns:
        A finding with one case; the slack is minus the number of layers that miss or are too many.
    """
    sums = [sum(way) for way in split(groups)]
    error = min((abs(total - layers) for total in sums), default=layers)
    text = f"{' and '.join(g.words for g in groups)}: {sums or 'no whole numbers'}, not {layers}"
    return collect([(-float(error), (1,), text)], tolerance=0, family="all layers in two groups")


def ratio(groups: Sequence[Group]) -> Interval:
    """Return how many times larger the total of the first group is than that of the second.

    Args:
        groups: Two groups.

    Returns:
        The interval of the ratio.
    """
    first, second = groups
    return first.totals / second.totals


def audit_magnitude(blocks: Sequence[Sequence[Group]], *, factor: int = 10) -> Finding:
    """Test that the first total is at least so many times the second.

    Args:
        blocks: Two groups per data set.
        factor: How many times.

    Returns:
        A finding over the data sets; the slack is the largest ratio that rounding allows, over
        the factor, less 1.
    """
    cases: list[Case] = []
    for number, groups in enumerate(blocks):
        span = ratio(groups)
        text = f"{groups[0].dataset}: {span.text()} times"
        cases.append((float(span.high / factor - 1), (number,), text))
    return collect(cases, tolerance=0, family=f"{factor} times, per data set")


def repairs(group: Group, layers: Sequence[int]) -> list[Repair]:
    """Return ways to make total and average agree for given numbers of layers.

    Args:
        group: The group.
        layers: Numbers of layers to try.

    Returns:
        For each number a new total and a new average, the other one as printed.
    """
    total = Fraction(group.total, 10**group.total_decimals)
    average = Fraction(group.average, 10**group.average_decimals)
    found = []
    for n in layers:
        found.append(Repair(f"total for {n} layers", n, n * average, average))
        found.append(Repair(f"average for {n} layers", n, total, total / n))
    return found


def with_total(group: Group, total: Fraction) -> Group:
    """Return a group with another total, printed to the same place.

    Args:
        group: The group.
        total: The new total.

    Returns:
        The changed group.
    """
    return replace(group, total=round(total * 10**group.total_decimals))


def basic_layers(depth: int) -> tuple[int, int]:
    """Return the layers with weights of a CIFAR ResNet: convolutions and fully connected ones.

    Three groups of n blocks with two convolutions each, one convolution before them, one fully
    connected layer after them: 6n + 2 in all. Shortcuts are identities.

    Args:
        depth: Such as 56 or 110.

    Returns:
        The two numbers.

    Raises:
        ValueError: If the depth is not 6n + 2.

    Example:
        >>> basic_layers(56)
        (55, 1)
    """
    blocks, rest = divmod(depth - 2, 6)
    if rest or blocks < 1:
        raise ValueError(f"depth must be 6n + 2, got {depth}")
    return 6 * blocks + 1, 1


def bottleneck_layers(units_per_group: Sequence[int]) -> tuple[int, int]:
    """Return the layers with weights of a bottleneck ResNet, shortcuts not counted.

    Args:
        units_per_group: Bottleneck units of each group, three convolutions each.

    Returns:
        Convolutions and fully connected layers.

    Example:
        >>> bottleneck_layers([3, 4, 6, 3])
        (49, 1)
    """
    return 3 * sum(units_per_group) + 1, 1
