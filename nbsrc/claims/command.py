"""``python -m nbsrc ledger``: join claims and evidence, apply the rules, write the pages."""

from __future__ import annotations

import argparse
import json
import logging
from collections.abc import Sequence
from pathlib import Path

from nbsrc.claims import ledger as ledger_module
from nbsrc.claims.ledger import Ledger
from nbsrc.claims.other_seeds import FILE, Repetition, read_repetitions
from nbsrc.claims.other_seeds_page import other_seeds_page, seeds_summary
from nbsrc.claims.pages import counts_page, overview_page, paper_page
from nbsrc.claims.rows import load_claims
from nbsrc.claims.status_page import status_page
from nbsrc.files import project_root, write_json_atomic, write_text_atomic

__all__ = ["main", "write_ledger"]

log = logging.getLogger(__name__)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        argv: The arguments after ``ledger``; by default those of the process.

    Returns:
        The exit code: 0, or 1 after one logged line per broken rule (then nothing is written).
    """
    parser = argparse.ArgumentParser(prog="python -m nbsrc ledger", description=__doc__)
    parser.add_argument("--root", type=Path, default=None, help="project folder (default: this)")
    options = parser.parse_args(argv)
    root = project_root() if options.root is None else options.root
    try:
        problems = write_ledger(root)
    except ValueError as error:  # a claims file or an evidence file breaks its form
        problems = str(error).splitlines()
    for line in problems:
        log.error("ledger: %s", line)
    return 1 if problems else 0


def write_ledger(root: Path) -> list[str]:
    """Read claims, evidence and status below a folder; write the ledger and its pages.

    Args:
        root: The project folder: it holds ``claims``, ``build`` and ``book``.

    Returns:
        The broken rules, one line each; if there are any, nothing was written.
    """
    build, book = root / "build", root / "book"
    papers = load_claims(root / "claims")
    evidence = ledger_module.read_json_folder(build / "evidence", ledger_module.EVIDENCE_KEYS)
    statuses = ledger_module.read_json_folder(build / "status", ledger_module.STATUS_KEYS)
    joined = ledger_module.join(papers, evidence)
    if joined.problems:
        return list(joined.problems)
    times_file = root / "results" / "build_times.json"
    times = json.loads(times_file.read_text(encoding="utf-8")) if times_file.is_file() else None
    titles = {str(s["notebook"]): str(s.get("title") or s["notebook"]) for s in statuses}
    repetitions = read_repetitions(root / "results" / FILE)
    pages = _pages(joined, titles, repetitions)
    pages["status.md"] = status_page(statuses, times)
    tiers = sorted({str(status["tier"]) for status in statuses if status.get("tier")})
    from nbsrc.experiments.page import read_training_page  # brings torch: not for every import

    pages["_generated/training.md"] = read_training_page(root, tiers)
    for name, text in pages.items():
        _write_if_changed(book / name, text)
    write_json_atomic(build / "ledger.json", joined.as_json())
    return []


def _pages(joined: Ledger, titles: dict[str, str], repetitions: list[Repetition]) -> dict[str, str]:
    summary = seeds_summary(joined.papers, repetitions)
    pages = {
        "ledger.md": overview_page(joined),
        "_generated/counts.md": counts_page(joined) + (f"\n{summary}\n" if summary else ""),
        "_generated/other_seeds.md": other_seeds_page(joined, repetitions),
    }
    for paper in joined.papers:
        pages[f"ledger_{paper.letter}.md"] = paper_page(joined, paper, titles, repetitions)
    return pages


def _write_if_changed(path: Path, text: str) -> None:
    """Leave an equal file alone: Sphinx reads a page again when its time stamp changes."""
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        write_text_atomic(path, text)
