"""The rules of the ledger: when evidence and verdict agree.

Every function returns problems as lines of text; an empty list means agreement. The notebook shows
them in the check's box; the build fails on them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from nbsrc.claims.rows import Row

__all__ = ["EXPERIMENT_VERDICTS", "evidence_problems", "ledger_problems"]

EXPERIMENT_VERDICTS = frozenset({"reproduced", "partly-reproduced", "not-reproduced"})


def evidence_problems(row: Row, record: Mapping[str, Any]) -> list[str]:
    """Compare one record of evidence with the row's verdict.

    Args:
        row: The claim.
        record: What its check recorded.

    Returns:
        What disagrees, without the claim's id.
    """
    if row.verdict == "not-tested":
        return ["there is evidence, but the verdict is 'not-tested'"]
    problems = _common_problems(record)
    if row.verdict in EXPERIMENT_VERDICTS:
        return problems + _outcome_problems(row, record.get("outcome"))
    literal, corrected = record.get("literal"), record.get("corrected")
    if literal is None:
        return [*problems, f"the verdict {row.verdict!r} needs a literal test"]
    tolerance = record.get("tolerance")
    if row.verdict == "holds":
        return problems + _holds_problems("literal", literal, tolerance)
    problems += _violated_problems(literal)
    if row.verdict in ("holds-with-correction", "imprecise"):
        if not row.correction:
            problems.append(f"the verdict {row.verdict!r} needs a 'correction' in the row")
        if corrected is None:
            problems.append(f"the verdict {row.verdict!r} needs a corrected test")
        else:
            problems += _holds_problems("corrected", corrected, tolerance)
    elif not row.correction and not row.note:
        problems.append("the verdict 'fails' needs a 'correction' or a 'note' in the row")
    return problems


def _common_problems(record: Mapping[str, Any]) -> list[str]:
    """Return what every record needs and this one lacks: tolerance, controls that broke."""
    problems = []
    if record.get("tolerance") is None:
        problems.append("the check states no tolerance")
    controls = record.get("controls") or []
    if not controls:
        problems.append("the check has no negative control")
    problems += [
        f"the negative control {control.get('name')!r} did not break"
        for control in controls
        if control.get("broke") is not True
    ]
    return problems


def _holds_problems(name: str, finding: Mapping[str, Any], tolerance: Any) -> list[str]:
    problems = []
    if finding.get("holds") is not True:
        problems.append(f"the {name} test does not hold")
    if not finding.get("trials"):
        problems.append(f"the {name} test has no trials")
    if finding.get("holds") is True and finding.get("counterexample") is not None:
        problems.append(f"the {name} test holds, yet gives a counterexample")
    slack = finding.get("worst_slack")
    if slack is not None and tolerance is not None and slack < -tolerance:
        problems.append(
            f"the {name} test is said to hold, but its worst slack {slack:.3g} is below "
            f"-{tolerance:.3g}, the tolerance"
        )
    return problems


def _violated_problems(literal: Mapping[str, Any]) -> list[str]:
    problems = []
    if literal.get("holds") is not False:
        problems.append("the literal test holds, but the verdict says that it does not")
    if literal.get("counterexample") is None:
        problems.append("the literal test gives no counterexample")
    return problems


def _outcome_problems(row: Row, outcome: Mapping[str, Any] | None) -> list[str]:
    if outcome is None:
        return [f"the verdict {row.verdict!r} needs an outcome"]
    problems = []
    if outcome.get("verdict") != row.verdict:
        problems.append(
            f"the outcome is {outcome.get('verdict')!r}, but the verdict is {row.verdict!r}"
        )
    problems += [
        f"the outcome does not give {side!r}"
        for side in ("ours", "paper")
        if outcome.get(side) in (None, "", {}, [])
    ]
    return problems


def ledger_problems(rows: Iterable[Row], evidence: Iterable[Mapping[str, Any]]) -> list[str]:
    """Check all rows against all evidence.

    Args:
        rows: The rows of all papers.
        evidence: The contents of ``build/evidence/<notebook>.json``.

    Returns:
        One line per problem, each beginning with the claim's id.
    """
    by_id = {row.id: row for row in rows}
    problems: list[str] = []
    checked: dict[str, str] = {}
    for content in evidence:
        notebook = content["notebook"]
        for claim_id, record in content["checks"].items():
            row = by_id.get(claim_id)
            if row is None:
                problems.append(f"{claim_id}: checked in {notebook}, but not in claims/*.yml")
                continue
            if claim_id in checked:
                problems.append(f"{claim_id}: checked in {checked[claim_id]} and in {notebook}")
            checked[claim_id] = notebook
            if row.notebook != notebook:
                problems.append(f"{claim_id}: checked in {notebook}, the row says {row.notebook}")
            problems += [f"{claim_id}: {line}" for line in evidence_problems(row, record)]
    problems += [
        f"{row.id}: the verdict is {row.verdict!r}, but no notebook gives evidence"
        for row in by_id.values()
        if row.verdict != "not-tested" and row.id not in checked
    ]
    return problems
