"""Groups of runs in which what paper B says of a figure cannot be so: controls for its rules."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from nbsrc.audits.spectral_training.records import Group, Measures

__all__ = ["SHAMS", "exchanged", "same_training", "shams"]


_SWAPPED = {"alignment": "random", "random": "alignment"}
_TURNED = [
    ("spectrum", "alignment", "mean"),
    *((m, "adversarial", "mean") for m in ("alignment", "linf alignment")),
    *((m, way, "sigma", "mean") for m in ("linearity", "linf linearity")
      for way in ("adversarial", "random")),
]  # fmt: skip


def same_training(group: Group) -> dict[str, Any]:
    """Return a group in which nothing but the seed differs: the plain runs under every name.

    Args:
        group: A group.

    Returns:
        The plain runs as they are, and under each other name shifted by one seed.
    """
    plain = list(group["standard"])
    return {name: plain if name == "standard" else plain[1:] + plain[:1] for name in group}


def exchanged(group: Group, names: Mapping[str, str]) -> dict[str, Any]:
    """Return a group in which methods have the runs of others.

    Args:
        group: The group.
        names: Method, and whose runs it gets.

    Returns:
        The group; a method or a giver that is not in it is left out.
    """
    return {name: group[given] for name in group if (given := names.get(name, name)) in group}


def _plain_as_data_dependent(group: Group) -> dict[str, Any]:
    return exchanged(group, {"d.d. SNR": "standard", "d.d. ONR": "standard"})


def _robust_as_weak(group: Group) -> dict[str, Any]:
    weak = ("global SNR", "d.d. SNR, eval", "d.d. SNR, eval, a tenth")
    return exchanged(group, dict.fromkeys(weak, "AT"))


def _robust_as_plain(group: Group) -> dict[str, Any]:
    return exchanged(group, {"standard": "AT"})


def _reversed_radii(group: Group) -> dict[str, Any]:
    """Turn every alignment and singular value along its radii or ranks."""
    return _edited(group, lambda name, run: _turned(run))


def _chance(group: Group) -> dict[str, Any]:
    """Put chance in the place of what was trained.

    The alignment is that of random directions, or with a network of random weights; the baseline
    falls with the rank as the trained network's does. Noise around test images stands in the place
    of that around uniform ones.

    Returns:
        The group.
    """

    def changed(name: str, run: Measures) -> Measures:
        if "spectrum" in run:
            swapped = {new: run["spectrum"][old] for new, old in _SWAPPED.items()}
            run = {**run, "spectrum": run["spectrum"] | swapped}
        if name != "standard" and not name.startswith("AT"):
            for measure in ("alignment", "linf alignment"):
                if measure in run:
                    blind = run[measure]["random"]["mean"][0]
                    places = len(run[measure]["adversarial"]["mean"])
                    run = _with(run, (measure, "adversarial", "mean"), [blind] * places)
        if "patterns" in run:
            run = _with(run, ("patterns", "uniform"), run["patterns"]["data"])
        return run

    return _edited(group, changed)


def _edited(group: Group, change: Callable[[str, Measures], Measures]) -> dict[str, Any]:
    return {name: [change(name, run) for run in runs] for name, runs in group.items()}


def _turned(run: Measures) -> Measures:
    for path in _TURNED:
        if path[0] in run:
            curve: Any = run
            for key in path:
                curve = curve[key]
            run = _with(run, path, curve[::-1])
    return run


def _with(table: Mapping[str, Any], path: Sequence[str], value: object) -> dict[str, Any]:
    """Return a table with one entry replaced; the original stays."""
    first, *rest = path
    return {**table, first: _with(table[first], rest, value) if rest else value}


#: The shams by what they are.
SHAMS: Mapping[str, Callable[[Group], dict[str, Any]]] = {
    "plain training under every name": same_training,
    "plain training as the data-dependent method": _plain_as_data_dependent,
    "adversarial training as the weak methods": _robust_as_weak,
    "adversarial training as plain training": _robust_as_plain,
    "radii and ranks reversed": _reversed_radii,
    "chance in the place of training": _chance,
}


def shams(group: Group) -> list[dict[str, Any]]:
    """Return all shams of a group.

    Args:
        group: The group.

    Returns:
        A group for each.
    """
    return [made(group) for made in SHAMS.values()]
