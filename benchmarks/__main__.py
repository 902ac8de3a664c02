"""Speed: Table 1 of Liang & Huang (2021) side by side, all layers of a ResNet-18, exact curvature,
operator norms, linear regions, regularisers.

``python -m benchmarks`` prints a table and writes build/bench.json. Times are medians with
quartiles; methods that take long run fewer times, and the count is in the table.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from benchmarks.linear_region import linear_region_lines, linear_region_rows
from benchmarks.operator_norm import operator_norm_lines, operator_norm_rows
from benchmarks.perturbation import curvature_lines, curvature_rows
from benchmarks.regularizers import regularizer_lines, regularizer_rows
from nbsrc.files import project_root, write_json_atomic
from nbsrc.layer_norms import layer_norms
from nbsrc.models import build_model
from nbsrc.provenance import provenance
from nbsrc.table1 import METHODS, TABLE1_KERNELS, table1_row
from nbsrc.timing import time_call

#: What measures a part, from the number of evaluations and the seconds, and what prints it.
MEASURED: dict[str, tuple[Callable[[int, float], Any], Callable[[Any], list[str]]]] = {
    "curvature": (curvature_rows, curvature_lines),
    "operator_norms": (operator_norm_rows, operator_norm_lines),
    "linear_regions": (linear_region_rows, linear_region_lines),
    "regularizers": (regularizer_rows, regularizer_lines),
}
PARTS = ("norms", *MEASURED)
TARGET_RATIO = 3.0  # our l1 and linf against one pass over the kernel, for kernels of 1 MB and more
TARGET_RESNET = 0.05  # seconds for l1 and linf of all layers, traced forward included


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--output", type=Path, default=project_root() / "build" / "bench.json")
    parser.add_argument("--evaluations", type=int, default=100, help="largest number per method")
    parser.add_argument("--budget", type=float, default=4.0, help="seconds per kernel and method")
    parser.add_argument("--iterations", type=int, default=100, help="of power iteration, per call")
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument(
        "--only", nargs="+", choices=PARTS, default=list(PARTS), help="parts to run"
    )
    parser.add_argument("--remark", help="what a reader of the results should know")
    parser.add_argument("--threads", type=int, help="threads of torch (default: torch's own)")
    options = parser.parse_args(argv)
    threads_before = torch.get_num_threads()
    if options.threads is not None:
        torch.set_num_threads(options.threads)
    try:
        run(options)
    finally:
        torch.set_num_threads(threads_before)
    return 0


def run(options: argparse.Namespace) -> None:
    """Time everything, print as it comes, write the results."""
    results: dict[str, Any] = {
        "provenance": provenance(),
        "options": {
            "evaluations": options.evaluations,
            "budget_seconds": options.budget,
            "power_iterations": options.iterations,
            "remark": options.remark,
        },
    }
    print(f"{results['provenance']['processor']}, {torch.get_num_threads()} threads")
    if "norms" in options.only:
        results["table1"] = run_table1(options)
        results["layer_norms_resnet18"] = time_resnet(options.evaluations)
        print("\n".join(summary_lines(results)), flush=True)
    for part, (measure, lines) in MEASURED.items():
        if part in options.only:
            results[part] = measure(options.evaluations, options.budget)
            print("\n".join(lines(results[part])), flush=True)
    write_json_atomic(options.output, results)
    print(f"written to {options.output}")


def run_table1(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Time the norms of every kernel of Table 1."""
    print("32x32 images, milliseconds per call: median (quartiles, number of calls)")
    rows = []
    for kernel in TABLE1_KERNELS:
        row = table1_row(
            kernel,
            methods=options.methods,
            repeats=options.evaluations,
            budget=options.budget,
            iterations=options.iterations,
        )
        rows.append(row)
        print("\n".join(row_lines(row)), flush=True)
    return rows


def time_resnet(evaluations: int) -> dict[str, Any]:
    """l1 and linf of all layers of torchvision's ResNet-18 in one call."""
    model = build_model("resnet18", generator=torch.Generator().manual_seed(0))
    call = time_call(
        lambda: layer_norms(model, (1, 3, 32, 32), ords=(1, math.inf)), evaluations, budget=5.0
    )
    return {"layers": len(layer_norms(model, (1, 3, 32, 32), ords=())), "timing": call.as_dict()}


def row_lines(row: dict[str, Any]) -> list[str]:
    """One kernel as text."""
    lines = [f"{tuple(row['kernel'])}  {row['megabytes']} MB"]
    for method, t in row["timings"].items():
        times = [1e3 * t[key] for key in ("median", "lower", "upper")]
        value = f"  norm {row['values'][method]:.6g}" if method in row["values"] else ""
        lines.append(
            f"  {method:16s} {times[0]:11.4f}  ({times[1]:.4f} to {times[2]:.4f}, "
            f"{t['repeats']} calls){value}"
        )
    lines.append("  " + ", ".join(f"{name} {value:.3g}" for name, value in row["ratios"].items()))
    return lines


def summary_lines(results: dict[str, Any]) -> list[str]:
    """The targets, met or missed."""
    lines = []
    large = [row for row in results["table1"] if row["megabytes"] >= 1]
    for name in ("l1_to_limit", "linf_to_limit"):
        ratios = [row["ratios"][name] for row in large if name in row["ratios"]]
        if ratios:
            word = "met" if max(ratios) <= TARGET_RATIO else "missed"
            lines.append(f"{name}, kernels of 1 MB and more: at most {max(ratios):.2f} "
                         f"(target {TARGET_RATIO:g}: {word})")  # fmt: skip
    resnet = results["layer_norms_resnet18"]
    seconds = resnet["timing"]["median"]
    word = "met" if seconds <= TARGET_RESNET else "missed"
    lines.append(
        f"layer_norms of ResNet-18, {resnet['layers']} layers: {1e3 * seconds:.1f} ms "
        f"(target {1e3 * TARGET_RESNET:g} ms: {word})"
    )
    return lines


if __name__ == "__main__":
    sys.exit(main())
