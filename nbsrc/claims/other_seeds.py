"""The checks of the book repeated with other seeds: what the evidence says then.

A check draws its cases, and its networks, from a seed. A verdict that another seed turns is a
verdict on the seed. ``python -m nbsrc seeds`` compares evidence that was made with another seed,
``python -m nbsrc build --seed 3``, with the ledger, and keeps the result in
``results/other_seeds.json``.
"""

from __future__ import annotations

import argparse
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from nbsrc.claims import ledger
from nbsrc.claims.consistency import evidence_problems
from nbsrc.claims.rows import Row, load_claims
from nbsrc.files import project_root, write_text_atomic

__all__ = ["FILE", "Repeated", "Repetition", "compare", "main", "read_repetitions"]

log = logging.getLogger(__name__)
FILE = "other_seeds.json"
#: What came of a row: the very same evidence, the same verdict from other numbers, another one.
EQUAL, AGREES, DIFFERS = "equal", "agrees", "differs"


@dataclass(frozen=True)
class Repeated:
    """One check with another seed.

    Attributes:
        ledger: The verdict of the ledger that it was compared with.
        found: ``"equal"``, ``"agrees"`` or ``"differs"``.
        verdict: The outcome, for an experiment that differs.
        problems: Why the evidence does not support the ledger's verdict.
        ours: What an experiment gave, if it is not equal.
    """

    ledger: str
    found: str
    verdict: str | None = None
    problems: tuple[str, ...] = ()
    ours: Any = None


@dataclass(frozen=True)
class Repetition:
    """All checks with another seed.

    Attributes:
        seed: The seed of the notebooks, and the first one of each training run.
        tier: The tier.
        rows: What came of each claim.
        provenance: Where it was computed.
    """

    seed: int
    tier: str
    rows: Mapping[str, Repeated]
    provenance: Mapping[str, Any]

    def count(self, found: str) -> int:
        """Count the rows of which this came.

        Args:
            found: ``"equal"``, ``"agrees"`` or ``"differs"``.

        Returns:
            Their number.
        """
        return sum(row.found == found for row in self.rows.values())


def compare(
    rows: Sequence[Row], usual: Mapping[str, Any], other: Mapping[str, Any]
) -> dict[str, Repeated]:
    """Compare evidence of another seed with the ledger.

    Args:
        rows: The ledger's rows.
        usual: Evidence of the usual seed by claim.
        other: Evidence of the other seed by claim.

    Returns:
        What came of each claim of ``other``.

    Raises:
        ValueError: If ``other`` lacks a tested claim, or one of its claims is not in the ledger.
    """
    by_id = {row.id: row for row in rows}
    unknown = sorted(other.keys() - by_id.keys())
    lacking = [r.id for r in rows if r.verdict != "not-tested" and r.id not in other]
    if unknown or lacking:
        raise ValueError(f"evidence lacks {lacking}, and the ledger lacks {unknown}")
    found = {}
    for name, record in other.items():
        row = by_id[name]
        problems = tuple(evidence_problems(row, record))
        outcome = record.get("outcome") or {}
        if problems:
            word, ours = outcome.get("verdict"), outcome.get("ours")
            found[name] = Repeated(row.verdict, DIFFERS, word, problems, ours)
        elif name in usual and _timeless(usual[name]) == _timeless(record):
            found[name] = Repeated(row.verdict, EQUAL)
        else:
            found[name] = Repeated(row.verdict, AGREES, ours=outcome.get("ours"))
    return found


def read_repetitions(path: Path) -> list[Repetition]:
    """Read ``results/other_seeds.json``.

    Args:
        path: The file; it may be missing.

    Returns:
        The repetitions in the order of their seeds.
    """
    if not path.is_file():
        return []
    content = json.loads(path.read_text(encoding="utf-8"))
    return [
        Repetition(
            seed=entry["seed"],
            tier=entry["tier"],
            provenance=entry["provenance"],
            rows={
                name: Repeated(**(row | {"problems": tuple(row.get("problems", ()))}))
                for name, row in entry["rows"].items()
            },
        )
        for entry in content["repetitions"]
    ]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        argv: The arguments after ``seeds``.

    Returns:
        The exit code: 0, or 1 if the evidence does not fit the ledger.
    """
    parser = argparse.ArgumentParser(prog="python -m nbsrc seeds", description=__doc__)
    parser.add_argument("evidence", type=Path, help="folder of evidence made with another seed")
    parser.add_argument("--usual", type=Path, help="evidence of the usual seed (build/evidence)")
    parser.add_argument("--output", type=Path, help=f"default: results/{FILE}")
    options = parser.parse_args(argv)
    root = project_root()
    output = options.output or root / "results" / FILE
    try:
        new = _repetition(options.usual or root / "build" / "evidence", options.evidence)
    except ValueError as error:
        log.error("%s", error)  # noqa: TRY400 - a message, not a traceback
        return 1
    kept = [old for old in read_repetitions(output) if old.seed != new.seed]
    write_text_atomic(output, _text(sorted([*kept, new], key=lambda entry: entry.seed)))
    counts = ", ".join(f"{new.count(found)} {found}" for found in (EQUAL, AGREES, DIFFERS))
    log.info("seed %d: %s of %d rows", new.seed, counts, len(new.rows))
    return 0


def _repetition(usual: Path, folder: Path) -> Repetition:
    """Read two folders of evidence and compare them.

    Returns:
        The repetition.

    Raises:
        ValueError: If the folder is not of one seed and one tier, or does not fit the ledger.
    """
    from nbsrc.provenance import provenance  # brings torch: not for every import

    contents = ledger.read_json_folder(folder, ledger.EVIDENCE_KEYS)
    made = {(content["seed"], content["tier"]) for content in contents}
    if len(made) != 1:
        raise ValueError(f"{folder} must hold evidence of one seed and tier, got {sorted(made)}")
    rows = [row for paper in load_claims() for row in paper.rows]
    base = ledger.read_json_folder(usual, ledger.EVIDENCE_KEYS)
    (seed, tier) = made.pop()
    found = compare(rows, _by_claim(base), _by_claim(contents))
    return Repetition(seed, tier, found, provenance())


def _by_claim(contents: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {name: record for content in contents for name, record in content["checks"].items()}


def _timeless(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return evidence without the time that the check took."""
    return {key: value for key, value in record.items() if key != "seconds"}


def _text(repetitions: Sequence[Repetition]) -> str:
    """Write repetitions with a line per row."""
    blocks = []
    for entry in repetitions:
        head = {"seed": entry.seed, "tier": entry.tier, "provenance": dict(entry.provenance)}
        lines = ",\n".join(
            f"  {json.dumps(name)}: {json.dumps(_kept(row))}" for name, row in entry.rows.items()
        )
        start = json.dumps(head, sort_keys=True)
        blocks.append(f'{start[:-1]},\n "rows": {{\n{lines}\n }}}}')
    return '{"repetitions": [\n' + ",\n".join(blocks) + "\n]}\n"


def _kept(row: Repeated) -> dict[str, Any]:
    return {key: value for key, value in asdict(row).items() if value not in (None, ())}
