"""Speed and accuracy of five ways to extract the Jacobian of a 784-256-256-10 network in float32.

``python -m benchmarks.jacobian_extraction`` writes results/B_jacobian_times.json. The ways: one
backward pass per output, one vectorised backward pass, the product of masked weight matrices,
forward differences input by input, and a linear regression on random perturbations with the
activation pattern held fixed (Roth, Kilcher & Hofmann, section 7.9).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from nbsrc.audits.operator_norms.extraction import METHODS, Extraction, extraction
from nbsrc.files import project_root, write_json_atomic
from nbsrc.provenance import provenance
from nbsrc.timing import time_calls

WIDTHS = (784, 256, 256, 10)
NOISE, STEP = 10.0, 10.0  # the sizes at which regression and differences are accurate
SAMPLES = 2  # times the number of unknowns per output


def ways(case: Extraction) -> dict[str, Callable[[], Tensor]]:
    """The ways to extract the Jacobian, by name."""
    found: dict[str, Callable[[], Tensor]] = {
        words: getattr(case, name) for name, words in METHODS.items()
    }
    found["forward differences, frozen"] = lambda: case.differences(STEP, frozen=True)
    found["regression, frozen"] = lambda: regression(case)
    return found


def regression(case: Extraction) -> Tensor:
    """The regression of section 7.9 with a fixed seed."""
    samples = SAMPLES * (len(case.x) + 1)
    return case.regression(samples, NOISE, torch.Generator().manual_seed(0))


def extraction_rows(widths: Sequence[int], evaluations: int, budget: float) -> list[dict[str, Any]]:
    """Time every way, in turns, and give its error against float64."""
    case = extraction(widths, 0)
    functions = ways(case)
    timings = time_calls(functions, evaluations, budget=budget)
    return [
        {"method": name, "error": case.error(find()), "timing": timings[name].as_dict()}
        for name, find in functions.items()
    ]


def main(argv: Sequence[str] | None = None) -> int:
    """Time everything, print a line per way, write the record."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.jacobian_extraction")
    target = project_root() / "results" / "B_jacobian_times.json"
    parser.add_argument("--output", type=Path, default=target)
    parser.add_argument("--evaluations", type=int, default=30)
    parser.add_argument("--budget", type=float, default=60.0, help="seconds for all ways together")
    parser.add_argument("--remark", help="what a reader of the results should know")
    options = parser.parse_args(argv)
    torch.set_num_threads(1)
    rows = extraction_rows(WIDTHS, options.evaluations, options.budget)
    for row in rows:
        milliseconds = 1e3 * row["timing"]["median"]
        print(f"{row['method']:30s} {milliseconds:10.3f} ms, relative error {row['error']:.1e}")
    record = {
        "extraction": rows,
        "options": {
            "widths": list(WIDTHS),
            "evaluations": options.evaluations,
            "budget_seconds": options.budget,
            "samples_per_unknown": SAMPLES,
            "noise": NOISE,
            "step": STEP,
            "remark": options.remark,
        },
        "provenance": provenance(),
    }
    write_json_atomic(options.output, record)
    print(f"written to {options.output}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
