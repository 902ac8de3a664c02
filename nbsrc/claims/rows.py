"""The rows of the claim ledger: loading ``claims/<paper>.yml`` and checking its form.

Each file holds ``paper`` (the reference), ``short`` (its name in headings) and ``claims`` (a list of
rows). The keys of a row:

=============  =============================================================================
``id``         unique name, ``<paper>.<name>``, used by notebooks, tests and links
``where``      the place in the paper
``kind``       theorem, definition, table, figure, ...
``statement``  the claim in our words; maths between dollar signs
``assumptions``  the hypotheses it is printed with
``reproduce``  how it can be tested
``cost``       what a test needs
``inputs``     inputs of an algorithm (optional)
``columns``, ``data``  printed numbers (optional)
``ocr``        doubts about the transcription (optional)
``notebook``   stem of the notebook that tests it (once tackled)
``verdict``    one of `VERDICTS`
``correction``  the corrected statement (for the verdicts that need one)
``note``       what a reader should know besides (optional)
``reason``     why it is not tested (only for ``not-tested``)
=============  =============================================================================
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml

from nbsrc.files import project_root

__all__ = ["VERDICTS", "ClaimsFileError", "Paper", "Row", "claims_folder", "load_claims", "row"]

VERDICTS: Mapping[str, str] = MappingProxyType({
    "holds": "holds",
    "holds-with-correction": "holds after a correction",
    "imprecise": "imprecise",
    "fails": "fails as printed",
    "reproduced": "reproduced",
    "partly-reproduced": "partly reproduced",
    "not-reproduced": "not reproduced",
    "not-tested": "not tested",
})
"""The verdicts as the files spell them, and as readers see them."""

NEEDS_CORRECTION = frozenset({"holds-with-correction", "imprecise"})
TEXT_KEYS = ("id", "where", "kind", "statement", "assumptions", "reproduce", "cost", "verdict")
OPTIONAL_TEXT_KEYS = ("inputs", "ocr", "notebook", "correction", "note", "reason")
OTHER_KEYS = ("columns", "data")
_ID = re.compile(r"[A-Z]\.[A-Za-z0-9_.-]*[A-Za-z0-9]")
_STEM = re.compile(r"\d\d_[a-z0-9_]+")


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
    """Return the folder of the claims files of this checkout."""
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
        problems += [f"{path.name}: {line}" for line in _row_problems(raw, number, path.stem)]
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


def _row_problems(raw: Any, number: int, letter: str) -> list[str]:
    """Return what is wrong with one row; the lines name row and key."""
    if not isinstance(raw, dict) or not isinstance(raw.get("id"), str):
        return [f"row {number}: id: missing or not text"]
    name = raw["id"]
    lines = []
    if not _ID.fullmatch(name) or not name.startswith(f"{letter}."):
        lines.append(f"id: must look like '{letter}.name', got {name!r}")
    unknown = set(raw) - {*TEXT_KEYS, *OPTIONAL_TEXT_KEYS, *OTHER_KEYS}
    lines += [f"{key}: unknown key" for key in sorted(unknown, key=str)]
    lines += [f"{key}: missing" for key in TEXT_KEYS if key not in raw]
    for key in (*TEXT_KEYS, *OPTIONAL_TEXT_KEYS):
        if key in raw and not (isinstance(raw[key], str) and raw[key].strip()):
            lines.append(f"{key}: must be text that is not empty, got {raw[key]!r}")
        elif key in raw and raw[key].count("$") % 2:
            lines.append(f"{key}: a dollar sign is not closed")
    lines += _table_problems(raw)
    if not lines:  # the rules below need well-formed keys
        lines += _verdict_problems(raw)
    return [f"{name}: {line}" for line in lines]


def _table_problems(raw: Mapping[str, Any]) -> list[str]:
    if "columns" not in raw:
        return []
    columns = raw["columns"]
    if not isinstance(columns, list) or not columns:
        return ["columns: must be a list of names"]
    if "data" not in raw:
        return ["data: missing beside 'columns'"]
    width = len(columns)
    return [
        f"data: {where} has {size} cells, but there are {width} columns"
        for where, size in _line_sizes(raw["data"], "data")
        if size != width
    ]


def _line_sizes(data: Any, where: str) -> list[tuple[str, int]]:
    """Return the table lines in nested data, with their lengths."""
    if isinstance(data, dict):
        return [x for key, part in data.items() for x in _line_sizes(part, f"{where}.{key}")]
    if isinstance(data, list) and any(isinstance(part, list) for part in data):
        return [x for i, part in enumerate(data) for x in _line_sizes(part, f"{where}[{i}]")]
    return [(where, len(data) if isinstance(data, list) else 1)]


def _verdict_problems(raw: Mapping[str, Any]) -> list[str]:
    """Return what a verdict requires of the other keys and does not find."""
    verdict = raw["verdict"]
    lines = []
    if verdict not in VERDICTS:
        return [f"verdict: {verdict!r} is not one of {', '.join(VERDICTS)}"]
    if "notebook" in raw and not _STEM.fullmatch(raw["notebook"]):
        lines.append(f"notebook: must be a stem like '01_layer_norms', got {raw['notebook']!r}")
    if verdict == "not-tested":
        if "reason" not in raw:
            lines.append("reason: missing; a row that is not tested says why")
        return lines
    if "reason" in raw:
        lines.append("reason: only rows that are not tested have one; use 'note'")
    if "notebook" not in raw:
        lines.append(f"notebook: missing; the verdict {verdict!r} must be earned in a notebook")
    if verdict in NEEDS_CORRECTION and "correction" not in raw:
        lines.append(f"correction: missing; the verdict {verdict!r} needs one")
    if verdict == "fails" and "correction" not in raw and "note" not in raw:
        lines.append("note: missing; a claim that fails says what is true, or why nothing saves it")
    return lines
