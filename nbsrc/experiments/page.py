"""What was trained: tables of recorded experiments, of those the book trains, and of the rest."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from nbsrc.claims.html import number, scrolling_table, text_html
from nbsrc.experiments.collected import read_recorded
from nbsrc.experiments.plan import ExperimentPlan, read_plan

__all__ = ["read_training_page", "training_page"]

Results = Mapping[str, Any]


def read_training_page(root: Path, tiers: Collection[str]) -> str:
    """Read a project's experiments and results, and write ``_generated/training.md``.

    Args:
        root: The project folder: it holds ``experiments``, ``results`` and ``build/runs``.
        tiers: The tiers at which notebooks ran in this build.

    Returns:
        MyST Markdown.

    Raises:
        ValueError: If an experiment file breaks its schema.
    """
    files = sorted((root / "experiments").glob("*.yml"))
    recorded = [root / "results" / f"{file.stem}.json" for file in files]
    live = [
        root / "build" / "runs" / tier / f"{file.stem}.json" for file in files for tier in tiers
    ]
    return training_page(
        [read_plan(file) for file in files],
        [read_recorded(path.read_text(encoding="utf-8")) for path in recorded if path.is_file()],
        [json.loads(path.read_text(encoding="utf-8")) for path in live if path.is_file()],
    )


def training_page(
    plans: Sequence[ExperimentPlan], recorded: Sequence[Results], live: Sequence[Results]
) -> str:
    """Write ``_generated/training.md``.

    Args:
        plans: The project's experiments.
        recorded: The contents of ``results/*.json`` that are experiments' records.
        live: The results that this build trained, see :func:`nbsrc.experiments.collected.collect`.

    Returns:
        MyST Markdown, from the second level of headings on.
    """
    known = {str(results["experiment"]) for results in (*recorded, *live)}
    rest = [plan for plan in plans if plan.name not in known]
    blocks = [
        "## Recorded once",
        _recorded_table(recorded) if recorded else "Nothing is recorded.",
        *(_reductions(results) for results in recorded),
        "## Trained with the book",
        _live_table(live) if live else "This build trained no network.",
        "## Written, and not run at their own scale",
        _rest_table(rest) if rest else "Every experiment has results.",
    ]
    return "\n\n".join(blocks) + "\n"


def _recorded_table(recorded: Sequence[Results]) -> str:
    heads = ("Experiment", "tier", "runs", "missing", "diverged", "hours")
    lines = []
    for results in recorded:
        cells = [
            str(results["tier"]),
            number(len(results["runs"])),
            number(len(results["missing"])),
            number(_diverged(results)),
            number(round(results["seconds"] / 3600, 2)),
        ]
        lines.append((_name(results["experiment"]), [escape(cell) for cell in cells]))
    return scrolling_table("Recorded experiments", heads, lines)


def _reductions(results: Results) -> str:
    """Return what an experiment is and what its record leaves out, collapsed."""
    parts = [f"<p>{text_html(str(results['description']))}</p>"]
    if results.get("reductions"):
        parts.append(
            f"<p><strong>Less than {escape(str(results['of']))}.</strong> "
            f"{text_html(str(results['reductions']))}</p>"
        )
    sources = results["provenance"]
    processors = dict.fromkeys(str(source["processor"]) for source in sources)
    commits = dict.fromkeys(str(source["commit"])[:7] for source in sources)
    parts.append(
        f"<p><strong>Made on.</strong> {escape(', '.join(processors))}, "
        f"by the commits {escape(', '.join(commits))}</p>"
    )
    missing: dict[str, int] = {}
    for run in results["missing"]:
        missing[run["label"]] = missing.get(run["label"], 0) + 1
    if missing:
        names = ", ".join(f"{escape(label)} ({count})" for label, count in missing.items())
        parts.append(f"<p><strong>Not run (number of seeds).</strong> {names}</p>")
    title = f"<summary>What {_name(results['experiment'])} holds</summary>"
    return f'<details class="nb-chapter-claims">{title}{"".join(parts)}</details>'


def _live_table(live: Sequence[Results]) -> str:
    lines = [
        (
            _name(results["experiment"]) + _words(str(results["description"])),
            [
                escape(str(results["data"]["name"])),
                escape(str(results["tier"])),
                number(len(results["runs"])),
                number(_diverged(results)),
                number(round(results["seconds"], 1)),
            ],
        )
        for results in live
    ]
    heads = ("Experiment", "data", "tier", "runs", "diverged", "seconds")
    return scrolling_table("Experiments trained in this build", heads, lines)


def _rest_table(plans: Sequence[ExperimentPlan]) -> str:
    lines = []
    for plan in plans:
        runs = sum(run.seeds for run in plan.runs_of("paper"))
        lines.append((
            _name(plan.name) + _words(plan.description),
            [escape(plan.data), number(runs)],
        ))
    heads = ("Experiment", "data", "runs at the tier paper")
    return scrolling_table("Experiments without results", heads, lines)


def _words(text: str) -> str:
    return f'<span class="nb-asks">{text_html(text)}</span>'


def _diverged(results: Results) -> int:
    return sum(run["status"] == "diverged" for run in results["runs"])


def _name(experiment: object) -> str:
    return f"<code>{escape(str(experiment))}</code>"
