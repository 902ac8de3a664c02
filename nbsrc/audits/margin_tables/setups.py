"""What the text says of the experiments, against the tables and against arithmetic."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction

import torch
from torch import nn

from nbsrc.audits.finding import Case, collect
from nbsrc.audits.margin_tables.printed import Table
from nbsrc.claims import Finding
from nbsrc.torchvision_compat import import_torchvision

__all__ = [
    "audit_grid", "audit_reach", "audit_references", "audit_wide_resnet", "grid",
    "reached_share", "wide_resnet"
]  # fmt: skip

Grid = Mapping[tuple[str, str], tuple[int, ...]]
#: Networks, data sets and strengths of section 4.1 and appendix B.1.
_NETS = {"WideResNet": "Wide ResNet"}


def grid(*tables: Table) -> dict[tuple[str, str], tuple[int, ...]]:
    """Return for which data sets, networks and strengths tables have numbers.

    Args:
        *tables: The tables.

    Returns:
        The strengths by data set and network.
    """
    return {
        (line.dataset, _NETS.get(line.net, line.net)): line.strengths
        for table in tables
        for line in table.lines
    }


def audit_grid(found: Grid, said: Grid) -> Finding:
    """Test that tables and text name the same networks, data sets and strengths.

    Args:
        found: What the tables hold.
        said: What the text says.

    Returns:
        A finding over the pairs of data set and network; the slack is 0 or -1.
    """

    def cases() -> Iterator[Case]:
        for number, key in enumerate(sorted({*found, *said})):
            same = found.get(key) == said.get(key)
            text = f"{' '.join(key)}: {found.get(key)} in the tables, {said.get(key)} in the text"
            yield (0.0 if same else -1.0), (number,), text

    return collect(cases(), tolerance=0, family="pairs of data set and network")


def audit_reach(radii: Sequence[int], steps: int, size: int, *, random_start: bool) -> Finding:
    """Test that an attack can reach every point of its ball.

    A step moves every coordinate by ``size`` at most. From the centre a coordinate has to move by
    the radius, from a random start in the ball by up to twice the radius.

    Args:
        radii: Radii of the balls.
        steps: Number of steps.
        size: Size of a step, in the unit of the radii.
        random_start: Whether the start may lie anywhere in the ball.

    Returns:
        A finding over the radii; the slack is the reach less the longest way.
    """
    longest = 2 if random_start else 1
    cases: list[Case] = [
        (float(steps * size - longest * radius), (radius,), f"radius {radius}: way "
         f"{longest * radius}, reach {steps * size}") for radius in radii
    ]  # fmt: skip
    return collect(cases, tolerance=0, family=f"{steps} steps of {size}")


def reached_share(radius: int, steps: int, size: int) -> Fraction:
    """Return how likely one coordinate can get from a uniform start to a given face of the ball.

    Args:
        radius: Radius of the ball.
        steps: Number of steps.
        size: Size of a step.

    Returns:
        The probability.

    Example:
        >>> reached_share(16, 10, 2), reached_share(8, 10, 2)
        (Fraction(5, 8), Fraction(1, 1))
    """
    return min(Fraction(1), Fraction(steps * size, 2 * radius))


def audit_references(compared: Sequence[str], referenced: Sequence[str]) -> Finding:
    """Test that every data set that is compared has a number to compare with.

    Args:
        compared: Data sets that the sentence names.
        referenced: Data sets for which a reference is named.

    Returns:
        A finding over the data sets; the slack is 0 or -1.
    """
    cases: list[Case] = [
        (0.0 if name in referenced else -1.0, (number,), f"{name}: no reference is named")
        for number, name in enumerate(compared)
    ]
    return collect(cases, tolerance=0, family="data sets of the sentence")


def wide_resnet(units: Sequence[int], widen: int, image: int) -> dict[str, list[int]]:
    """Build the Wide ResNet of appendix D.2 without memory for its weights, and measure it.

    The first convolution has 3x3 taps, stride 1 and padding 1; there is no max pooling.

    Args:
        units: Bottleneck units of each group.
        widen: Factor of the widths of the 3x3 convolutions.
        image: Side of the input images.

    Returns:
        Numbers of convolutions (shortcuts not counted) and fully connected layers, widths of the
        3x3 convolutions, and sides of the feature maps after each group.
    """
    models = import_torchvision().models
    with torch.device("meta"):
        block = models.resnet.Bottleneck
        net = models.ResNet(block, list(units), num_classes=200, width_per_group=64 * widen)
        net.conv1 = nn.Conv2d(3, 64, 3, stride=1, padding=1, bias=False)
        net.maxpool = nn.Identity()
        x = net.conv1(torch.empty(1, 3, image, image))
        groups = (net.layer1, net.layer2, net.layer3, net.layer4)
        sides = [int((x := group(x)).shape[-1]) for group in groups]
    layers = [(n, m) for n, m in net.named_modules() if "downsample" not in n]
    convs = [m for _, m in layers if isinstance(m, nn.Conv2d)]
    return {
        "convolutions": [len(convs)],
        "fully connected": [sum(isinstance(m, nn.Linear) for _, m in layers)],
        "widths": [int(group[0].conv2.out_channels) for group in groups],
        "sides": sides,
    }


def audit_wide_resnet(measured: Mapping[str, list[int]], said: Mapping[str, list[int]]) -> Finding:
    """Test that a built network has the numbers that the text says.

    Args:
        measured: Numbers of the network.
        said: Numbers of the text.

    Returns:
        A finding over the kinds of numbers; the slack is 0 or -1.
    """
    cases: list[Case] = [
        (0.0 if measured.get(name) == value else -1.0, (number,),
         f"{name}: {measured.get(name)} built, {value} said")
        for number, (name, value) in enumerate(said.items())
    ]  # fmt: skip
    return collect(cases, tolerance=0, family="layer counts, widths, sizes")
