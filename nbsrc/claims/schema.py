"""The form of a row of the ledger: which keys it has, and what its verdict requires of them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

__all__ = ["VERDICTS", "row_problems"]

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


def row_problems(raw: Any, number: int, letter: str) -> list[str]:
    """Check one row of a claims file.

    Args:
        raw: What the YAML holds.
        number: The row's position in the file, for rows without an id.
        letter: The file's stem, with which the id must begin.

    Returns:
        A line per problem, naming row and key; empty if the row is well formed.
    """
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
