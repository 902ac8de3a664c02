"""Checks: what a notebook cell records about a claim, and how the record is written.

A check is used as a context manager::

    with claims.check("A.thm1.l1", tolerance=1e-10) as c:
        c.literal(holds=True, worst_slack=-3e-13, trials=4000, family="...")
        c.control("drop Assumption 1", broke=True, detail="h=2, k=3, s=2, p=2")

Leaving the block shows the evidence as a box; under the build (``NBSRC_EVIDENCE_DIR``) it is also
written as ``<claim id>.json``. An error raised in the block passes through, and nothing is written.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from nbsrc.claims import consistency, display
from nbsrc.claims.finding import Finding
from nbsrc.claims.plain import plain, plain_number
from nbsrc.claims.rows import Row, row
from nbsrc.files import write_json_atomic

__all__ = ["OUTCOMES", "Check", "check"]

OUTCOMES = ("reproduced", "partly-reproduced", "not-reproduced")

_written: set[str] = set()  # ids this process has written: a second check would overwrite the first


class Check:
    """Collects the evidence on one claim inside a ``with`` block; made by `check`.

    Attributes:
        row: The claim's row in the ledger.
        record: The evidence as plain JSON values, once the block was left without an error.
        problems: Where the evidence disagrees with the ledger's verdict (the build refuses it).
    """

    def __init__(self, claim: Row, tolerance: float | None) -> None:
        self.row = claim
        self.record: dict[str, Any] | None = None
        self.problems: tuple[str, ...] = ()
        self._tolerance = None if tolerance is None else _tolerance(tolerance)
        self._findings: dict[str, dict[str, Any]] = {}
        self._controls: list[dict[str, Any]] = []
        self._measured: dict[str, Any] = {}
        self._outcome: dict[str, Any] | None = None
        self._start = 0.0

    def literal(self, finding: Finding | None = None, **values: Any) -> None:
        """Record the test of the statement exactly as printed.

        Args:
            finding: The result; or give the fields of `Finding` as keywords.
            **values: ``holds``, ``worst_slack``, ``trials``, ``counterexample``, ``family``.
        """
        self._finding("literal", finding, values)

    def corrected(self, finding: Finding | None = None, **values: Any) -> None:
        """Record the test of the corrected statement that the ledger's row states.

        Args:
            finding: The result; or give the fields of `Finding` as keywords.
            **values: ``holds``, ``worst_slack``, ``trials``, ``counterexample``, ``family``.
        """
        self._finding("corrected", finding, values)

    def control(self, name: str, *, broke: bool, detail: str = "") -> None:
        """Record a negative control: a case in which the check must break.

        Args:
            name: What was changed, such as ``"drop Assumption 1"``.
            broke: Whether the check noticed.
            detail: What was seen.

        Raises:
            TypeError: If an argument has the wrong type.
        """
        flag = plain(broke, "broke")
        if not isinstance(flag, bool):
            raise TypeError(f"broke must be True or False, got {broke!r}")
        for key, text in (("name", name), ("detail", detail)):
            if not isinstance(text, str):
                raise TypeError(f"{key} of a control must be text, got {text!r}")
        self._controls.append({"name": name, "broke": flag, "detail": detail})

    def measured(self, **values: Any) -> None:
        """Record further numbers or texts for the ledger.

        Args:
            **values: Name and value; a later value replaces an earlier one of the same name.
        """
        self._measured.update({name: plain(value, name) for name, value in values.items()})

    def outcome(self, verdict: str, *, ours: Any, paper: Any) -> None:
        """Record how an experiment came out.

        Args:
            verdict: ``"reproduced"``, ``"partly-reproduced"`` or ``"not-reproduced"``.
            ours: Our numbers: a value, a text or a mapping.
            paper: The paper's numbers, in the same form.

        Raises:
            ValueError: If the verdict is not one of the three, or there is an outcome already.
        """
        if verdict not in OUTCOMES:
            raise ValueError(f"verdict must be one of {', '.join(OUTCOMES)}, got {verdict!r}")
        if self._outcome is not None:
            raise ValueError(f"{self.row.id}: outcome was recorded already in this check")
        values = {"ours": plain(ours, "ours"), "paper": plain(paper, "paper")}
        self._outcome = {"verdict": verdict, **values}

    def _finding(self, name: str, finding: Finding | None, values: Mapping[str, Any]) -> None:
        if name in self._findings:
            raise ValueError(f"{self.row.id}: {name} was recorded already in this check")
        if finding is not None and values:
            raise TypeError(f"{name} takes a Finding or keywords, not both: {sorted(values)}")
        if finding is not None and not isinstance(finding, Finding):
            raise TypeError(f"{name} takes a Finding, got {type(finding).__name__}")
        result = Finding(**{"worst_slack": None, **values}) if finding is None else finding
        self._findings[name] = result.record()

    def __enter__(self) -> Self:
        self._start = time.perf_counter()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is not None:
            return  # the error passes through, and a broken check leaves no evidence
        if not self._findings and self._outcome is None:
            raise ValueError(f"{self.row.id}: the check recorded neither literal nor outcome")
        self.record = self._make_record()
        self.problems = tuple(consistency.evidence_problems(self.row, self.record))
        linked = self._write(self.record)
        _show(display.check_box(self.row, self.record, self.problems, linked=linked))

    def _make_record(self) -> dict[str, Any]:
        return {
            "id": self.row.id,
            "notebook": os.environ.get("NBSRC_NOTEBOOK"),
            "tolerance": self._tolerance,
            "literal": self._findings.get("literal"),
            "corrected": self._findings.get("corrected"),
            "controls": list(self._controls),
            "measured": dict(self._measured),
            "outcome": self._outcome,
            "seconds": round(time.perf_counter() - self._start, 3),
            "anchor": self.row.anchor,
        }

    def _write(self, record: Mapping[str, Any]) -> bool:
        folder = os.environ.get("NBSRC_EVIDENCE_DIR")
        if not folder:
            return False  # a reader runs the cell: the box is all there is
        target = str(Path(folder) / f"{self.row.id}.json")
        if target in _written:
            raise ValueError(f"{self.row.id} is checked twice in this notebook; use one check")
        write_json_atomic(target, record, sort_keys=False)
        _written.add(target)
        return True


def check(claim_id: str, *, tolerance: float | None = None) -> Check:
    """Start a check of a claim; use it in a ``with`` statement.

    Args:
        claim_id: The id of a row of the ledger, such as ``"A.thm1.l1"``.
        tolerance: How far rounding may carry a case before it counts as a violation. The build
            requires it; 0 means exact.

    Returns:
        The check, to record evidence on. An unknown id, or a tolerance that is negative or not
        finite, is a ``ValueError``.
    """
    return Check(row(claim_id), tolerance)


def _tolerance(value: float) -> float:
    number = plain_number(value, "tolerance")
    if number < 0:
        raise ValueError(f"tolerance must not be negative, got {value!r}")
    return number


def _show(html: str) -> None:
    """Display a box where there is a notebook front end, else nothing."""
    if "IPython" not in sys.modules:
        return
    from IPython.core.getipython import get_ipython

    if get_ipython() is not None:
        from IPython.display import HTML
        from IPython.display import display as show

        show(HTML(html))
