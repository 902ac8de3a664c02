"""The paper's Table 2 beside runs of this project."""

from __future__ import annotations

from collections.abc import Iterable
from statistics import mean

from nbsrc.audits.accuracy_tables import AccuracyTable, read_table
from nbsrc.audits.norm_decay_runs.records import Run, attacked, by_method

__all__ = ["HEAD", "beside_table2", "gains"]

HEAD = ("network", "method", "clean", "under PGD", "gain under PGD, per seed",
        "printed clean", "printed robust")  # fmt: skip
_MODELS = {"vgg11_bn": "vgg", "resnet18": "resnet", "senet18": "senet", "regnet_x_200mf": "regnet"}
_BLOCKS = {"weight decay": "wd", "clipping": "svc", "l1 norm decay": "l1", "linf norm decay": "li"}


def beside_table2(runs: Iterable[Run], measure: str = "PGD") -> list[tuple[str, ...]]:
    """Put the strongest setting of every method beside the strongest one of Table 2.

    Args:
        runs: Runs of a collected file.
        measure: The attack.

    Returns:
        Rows of texts under ``HEAD``; accuracies in percent, ours as means over seeds, and per
        seed by how many points a run exceeds its plain partner.
    """
    table = read_table("A.tab2")
    groups = by_method(runs)
    plain = {
        (run["model"]["name"], run["seed"]): run["measures"][measure]["value"]
        for key, found in groups.items() if key[1] == "plain" for run in found
    }  # fmt: skip
    rows: list[tuple[str, ...]] = []
    for (network, method, strength), found in groups.items():
        strengths = [s for n, m, s in groups if (n, m) == (network, method) and s is not None]
        bounds = method == "clipping"
        best = None if not strengths else min(strengths) if bounds else max(strengths)
        if (method == "plain" or method in _BLOCKS) and strength == best:
            column = "plain" if method == "plain" else table.block(_BLOCKS[method])[0]
            differences = "" if method == "plain" else ", ".join(
                f"{100 * (run['measures'][measure]['value'] - plain[network, run['seed']]):+.0f}"
                for run in found
            )  # fmt: skip
            clean = 100 * mean(run["measures"]["accuracy"]["test_accuracy"] for run in found)
            rows.append((
                network.removesuffix("_200mf"),
                method if strength is None else f"{method} {strength:g}",
                f"{clean:.1f}", f"{100 * attacked(found, measure):.1f}", differences,
                *_printed(table, network, column),
            ))  # fmt: skip
    return rows


def gains(runs: Iterable[Run], measure: str = "PGD") -> dict[tuple[str, str, float | None], float]:
    """Return by how much each setting exceeds plain training under an attack.

    Args:
        runs: Runs of a collected file.
        measure: The attack.

    Returns:
        By network, method and strength the difference of the means over seeds, in percentage
        points.
    """
    groups = by_method(runs)
    plain = {key[0]: attacked(found, measure) for key, found in groups.items() if key[1] == "plain"}
    return {
        key: 100 * (attacked(found, measure) - plain[key[0]])
        for key, found in groups.items()
        if key[1] != "plain"
    }


def _printed(table: AccuracyTable, network: str, column: str) -> tuple[str, str]:
    """Return clean and robust accuracy as Table 2 prints them, the first with its strength."""
    model = _MODELS[network]
    strength = "" if column == "plain" else column.lstrip("wdsvcli").removeprefix("1_").lstrip("_")
    clean, robust = (table.cells[model, kind, column] / 10 for kind in ("clean", "robust"))
    return f"{clean:.1f}" + (f" (at {strength})" if strength else ""), f"{robust:.1f}"
