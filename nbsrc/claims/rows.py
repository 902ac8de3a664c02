"""The rows of the claim ledger: loading ``claims/<paper>.yml`` and checking its form.

Each file holds ``paper`` (the reference), ``short`` (its name in headings) and ``claims`` (the
rows). The keys of a row:

- ``id``: unique name, ``<paper>.<name>``, used by notebooks, tests and links
- ``where``: the place in the paper
- ``kind``: theorem, definition, table, figure, ...
- ``statement``: the claim in our words; maths between dollar signs
- ``assumptions``: the hypotheses it is printed with
- ``reproduce``: how it can be tested
- ``cost``: what a test needs
- ``inputs``: inputs of an algorithm (optional)
- ``columns``, ``data``: printed numbers (optional)
- ``ocr``: doubts about the transcription (optional)
- ``notebook``: stem of the notebook that tests it (once tackled)
- ``verdict``: one of `nbsrc.claims.schema.VERDICTS`
- ``correction``: the corrected statement (for the verdicts that need one)
- ``note``: what a reader should know besides (optional)
- ``reason``: why it is not tested (only for ``not-tested``)
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from nbsrc.claims.schema import VERDICTS, row_problems
from nbsrc.files import project_root

__all__ = ["ClaimsFileError", "Paper", "Row", "claims_folder", "load_claims", "row"]


class ClaimsFileError(ValueError):
    """A claims file breaks the form of the ledger.

    Attributes:
        problems: One line per problem; each names the file, the row and the key.
    """

    def __init__(self, problems: list[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(problems))


@dataclass(frozen=True)
class Row:
    """One claim of one paper; the fields are the keys described in this module."""

    id: str
    where: str
    kind: str
    statement: str
    assumptions: str
    reproduce: str
    cost: str
    verdict: str
    inputs: str | None = None
    ocr: str | None = None
    notebook: str | None = None
    correction: str | None = None
    note: str | None = None
    reason: str | None = None
    columns: tuple[str, ...] | None = None
    data: Any = field(default=None, hash=False)

    @property
    def paper(self) -> str:
        """The letter of the paper, as in ``A``."""
        return self.id.partition(".")[0]

    @property
    def verdict_words(self) -> str:
        """The verdict as readers see it."""
        return VERDICTS[self.verdict]

    @property
    def anchor(self) -> str:
        """The ``id`` attribute of the check's box on the notebook's page."""
        return f"check-{self.id}"


@dataclass(frozen=True)
class Paper:
    """One claims file: the paper's letter, reference and short name, and its rows in order."""

    letter: str
    title: str
    short: str
    rows: tuple[Row, ...]


def claims_folder() -> Path:
    """Return where the claims files of this checkout lie.

    Returns:
        The folder.
    """
    return project_root() / "claims"


def load_claims(folder: Path | None = None) -> tuple[Paper, ...]:
    """Read all claims files of a folder.

    Args:
        folder: Where ``A.yml``, ``B.yml``, ... lie; by default the checkout's ``claims``.

    Returns:
        The papers in alphabetical order.

    Raises:
        ClaimsFileError: If the folder holds no claims file or a file breaks the form; the message
            has a line per problem, with file, row and key.
    """
    where = claims_folder() if folder is None else folder
    files = sorted(where.glob("*.yml"))
    if not files:
        raise ClaimsFileError([f"{where.name}: no claims file (<letter>.yml) in this folder"])
    papers: list[Paper] = []
    problems: list[str] = []
    for path in files:
        try:
            papers.append(_load_paper(path))
        except ClaimsFileError as error:
            problems.extend(error.problems)
    if problems:
        raise ClaimsFileError(problems)
    return tuple(papers)


def row(claim_id: str, folder: Path | None = None) -> Row:
    """Look a claim up.

    Args:
        claim_id: The id, such as ``"A.thm1.l1"``.
        folder: Where the claims files lie; by default the checkout's ``claims``.

    Returns:
        Its row.

    Raises:
        ValueError: If no row has this id; the message names close ones.
    """
    where = claims_folder() if folder is None else folder
    path = where / f"{str(claim_id).partition('.')[0]}.yml"
    rows = {r.id: r for r in _load_paper(path).rows} if path.is_file() else {}
    if claim_id not in rows:
        raise ValueError(_unknown_id(claim_id, rows, where))
    return rows[claim_id]


def _unknown_id(claim_id: str, rows: Mapping[str, Row], folder: Path) -> str:
    close = difflib.get_close_matches(str(claim_id), list(rows), n=3, cutoff=0.5)
    hint = f"; close ids: {', '.join(close)}" if close else ""
    papers = ", ".join(path.stem for path in sorted(folder.glob("*.yml")))
    return f"claim id {claim_id!r} is not in claims/*.yml (papers: {papers}){hint}"


def _load_paper(path: Path) -> Paper:
    stat = path.stat()
    return _load_paper_cached(path, stat.st_mtime_ns, stat.st_size)


@lru_cache(maxsize=16)
def _load_paper_cached(path: Path, _mtime: int, _size: int) -> Paper:
    """Return a file's rows, parsed once per version of the file.

    Raises:
        ClaimsFileError: If the file breaks the form.
    """
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise ClaimsFileError([f"{path.name}: not valid YAML: {error}"]) from error
    if not isinstance(document, dict) or set(document) != {"paper", "short", "claims"}:
        raise ClaimsFileError([f"{path.name}: must hold the keys 'paper', 'short' and 'claims'"])
    names = (document["paper"], document["short"])
    if not all(isinstance(name, str) for name in names) or not isinstance(document["claims"], list):
        raise ClaimsFileError([f"{path.name}: 'paper' and 'short' are text, 'claims' is a list"])
    problems: list[str] = []
    seen: set[str] = set()
    for number, raw in enumerate(document["claims"], start=1):
        problems += [f"{path.name}: {line}" for line in row_problems(raw, number, path.stem)]
        name = raw.get("id") if isinstance(raw, dict) else None
        if name in seen:
            problems.append(f"{path.name}: {name}: id: used twice")
        if isinstance(name, str):
            seen.add(name)
    if problems:
        raise ClaimsFileError(problems)
    rows = tuple(_make_row(raw) for raw in document["claims"])
    return Paper(path.stem, document["paper"], document["short"], rows)


def _make_row(raw: dict[str, Any]) -> Row:
    values = dict(raw)
    if "columns" in values:
        values["columns"] = tuple(str(name) for name in values["columns"])
    return Row(**values)
