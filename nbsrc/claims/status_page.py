"""The status page: how each notebook ran, in what environment, and how long the build takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from nbsrc.claims.html import number, scrolling_table, value_html

__all__ = ["status_page"]

BUILD_TIMES = {
    "fresh_build_s": "`make book` from a fresh clone, install included",
    "fresh_install_s": "the install alone",
    "noop_s": "`make book` with nothing changed",
    "one_notebook_s": "`make book` after editing one notebook",
}


def status_page(statuses: Sequence[Mapping[str, Any]], times: Mapping[str, Any] | None) -> str:
    """Write ``status.md``.

    Args:
        statuses: The contents of ``build/status/*.json``.
        times: The contents of ``results/build_times.json``, if it exists.

    Returns:
        MyST Markdown.
    """
    blocks = [
        "# Status of the build",
        "What the build that made these pages ran, and how long it took. A check agrees when its "
        "evidence supports the verdict in the ledger.",
        "## Notebooks",
        _notebook_table(statuses) if statuses else "No notebook has run in this build.",
        "## Environments",
        _environment_table(statuses) if statuses else "None recorded.",
        "## Build times",
        _build_times(times),
    ]
    return "\n\n".join(blocks) + "\n"


def _notebook_table(statuses: Sequence[Mapping[str, Any]]) -> str:
    heads = ("Notebook", "tier", "seed", "seconds", "checks that agree", "finished (UTC)")
    lines = []
    for status in statuses:
        stem = str(status["notebook"])
        title = escape(str(status.get("title") or stem))
        cells = [
            str(status.get("tier", "")),
            str(status.get("seed", "")),
            _seconds(status.get("seconds")),
            f"{status.get('checks_passed', '?')} of {status.get('checks_total', '?')}",
            str(status.get("finished", "")).replace("T", " ")[:16],
        ]
        link = f'<a href="notebooks/{escape(stem)}.html">{title}</a>'
        lines.append((link, [escape(cell) for cell in cells]))
    return scrolling_table("Notebooks of this build", heads, lines)


def _environment_table(statuses: Sequence[Mapping[str, Any]]) -> str:
    """Return one line per different environment, with the notebooks that ran in it."""
    groups: dict[tuple[tuple[str, str], ...], list[str]] = {}
    for status in statuses:
        environment = status.get("environment") or {}
        key = tuple((str(name), str(value)) for name, value in environment.items())
        groups.setdefault(key, []).append(str(status["notebook"]))
    names = list(dict.fromkeys(name for key in groups for name, _ in key))
    lines = [
        (escape(", ".join(stems)), [escape(dict(key).get(name, "")) for name in names])
        for key, stems in groups.items()
    ]
    return scrolling_table(
        "Environments", ("Notebooks", *(name.replace("_", " ") for name in names)), lines
    )


def _build_times(times: Mapping[str, Any] | None) -> str:
    if not times:
        return "No build times are recorded in `results/build_times.json`."
    lines = [
        f"- {label}: {_seconds(times[key])} s"
        for key, label in BUILD_TIMES.items()
        if times.get(key) is not None
    ]
    rest: dict[str, Any] = {}
    for key, value in times.items():
        if key not in BUILD_TIMES:
            rest.update(value if isinstance(value, Mapping) else {key: value})
    provenance = f"<div><p>Measured with: {value_html(rest)}.</p></div>" if rest else ""
    return "\n".join(lines) + (f"\n\n{provenance}" if provenance else "")


def _seconds(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return "?"
    return number(round(float(value), 1)) if value < 100 else number(round(value))
