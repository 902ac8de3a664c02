"""Joining the claims with the evidence of the notebooks: the contents of ``build/ledger.json``."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nbsrc.claims import consistency
from nbsrc.claims.rows import Paper, Row
from nbsrc.claims.schema import VERDICTS

__all__ = ["Entry", "Ledger", "join", "read_json_folder"]

EVIDENCE_KEYS = {"notebook": str, "checks": dict}
STATUS_KEYS = {"notebook": str}


@dataclass(frozen=True)
class Entry:
    """A row of the ledger with the evidence of its check, if there is any."""

    row: Row
    record: Mapping[str, Any] | None
    tier: str | None


@dataclass(frozen=True)
class Ledger:
    """All papers with their entries, and what breaks the rules.

    Attributes:
        papers: The claims files.
        entries: Every row, by claim id, in the papers' order.
        problems: One line per broken rule.
    """

    papers: tuple[Paper, ...]
    entries: Mapping[str, Entry]
    problems: tuple[str, ...]

    def of_paper(self, paper: Paper) -> list[Entry]:
        """Return the entries of one paper.

        Args:
            paper: The paper.

        Returns:
            Its entries, in the order of its rows.
        """
        return [self.entries[row.id] for row in paper.rows]

    def counts(self, paper: Paper) -> dict[str, int]:
        """Count the rows of one paper by verdict.

        Args:
            paper: One of `papers`.

        Returns:
            All verdicts, in their fixed order, with their numbers.
        """
        verdicts = [row.verdict for row in paper.rows]
        return {verdict: verdicts.count(verdict) for verdict in VERDICTS}

    def total(self) -> dict[str, int]:
        """Count the rows of all papers by verdict.

        Returns:
            All verdicts, in their fixed order, with their numbers.
        """
        counts = [self.counts(paper) for paper in self.papers]
        return {verdict: sum(count[verdict] for count in counts) for verdict in VERDICTS}

    def as_json(self) -> dict[str, Any]:
        """Return what ``build/ledger.json`` holds.

        Returns:
            All rows with evidence, and the counts.
        """
        counts: dict[str, Any] = {paper.letter: self.counts(paper) for paper in self.papers}
        counts["all"] = self.total()
        return {
            "papers": {paper.letter: paper.title for paper in self.papers},
            "claims": [_entry_json(entry) for entry in self.entries.values()],
            "counts": counts,
        }


def join(papers: Sequence[Paper], evidence: Sequence[Mapping[str, Any]]) -> Ledger:
    """Join the rows with their evidence and apply the rules.

    Args:
        papers: From `nbsrc.claims.rows.load_claims`.
        evidence: The contents of ``build/evidence/*.json``.

    Returns:
        The ledger; its ``problems`` are empty if every rule is kept.
    """
    found = {
        claim_id: (record, content.get("tier"))
        for content in evidence
        for claim_id, record in content["checks"].items()
    }
    rows = [row for paper in papers for row in paper.rows]
    entries = {row.id: Entry(row, *found.get(row.id, (None, None))) for row in rows}
    problems = consistency.ledger_problems(rows, evidence)
    return Ledger(tuple(papers), entries, tuple(problems))


def read_json_folder(folder: Path, keys: Mapping[str, type]) -> list[dict[str, Any]]:
    """Read every ``*.json`` of a folder.

    Args:
        folder: The folder; it may be missing.
        keys: Keys each file must hold, with the type of their values.

    Returns:
        The contents, in the order of the file names.

    Raises:
        ValueError: If a file is not JSON or lacks a key; the message names it.
    """
    contents = []
    for path in sorted(folder.glob("*.json")):
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except json.JSONDecodeError as error:
            raise ValueError(f"{path.name}: not valid JSON: {error}") from error
        for key, kind in keys.items():
            if not isinstance(content, dict) or not isinstance(content.get(key), kind):
                raise ValueError(f"{path.name}: key {key!r} is missing or not a {kind.__name__}")
        contents.append(content)
    return contents


def _entry_json(entry: Entry) -> dict[str, Any]:
    row = entry.row
    values = {
        "id": row.id,
        "where": row.where,
        "kind": row.kind,
        "statement": row.statement,
        "assumptions": row.assumptions,
        "verdict": row.verdict,
        "notebook": row.notebook,
        "correction": row.correction,
        "note": row.note,
        "reason": row.reason,
        "tier": entry.tier,
        "evidence": None if entry.record is None else dict(entry.record),
        "link": check_link(row) if entry.record is not None else None,
    }
    return {key: value for key, value in values.items() if value is not None}


def check_link(row: Row) -> str:
    """Return the address of a row's check.

    Args:
        row: The row.

    Returns:
        The address relative to the book's top folder.
    """
    return f"notebooks/{row.notebook}.html#{row.anchor}"
