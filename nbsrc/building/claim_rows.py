"""The ledger rows that a notebook shows, as one digest.

A notebook prints verdicts and statements of its rows, so it must run again when these change, but
not when another row of the same file does.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import yaml

from nbsrc.building.dependencies import string_constants
from nbsrc.building.source import Source


def load_rows(folder: Path) -> list[dict[str, Any]]:
    """Read the rows of all claim files; the ledger rule checks them, this function does not.

    Args:
        folder: The folder ``claims``.

    Returns:
        The rows of all papers.
    """
    rows: list[dict[str, Any]] = []
    for path in sorted(folder.glob("*.yml")):
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        if isinstance(document, dict):
            rows += [row for row in document.get("claims") or [] if isinstance(row, dict)]
    return rows


def rows_digest(source: Source, rows: list[dict[str, Any]]) -> str:
    """Digest the rows that belong to a notebook or are named in its code.

    Args:
        source: The notebook.
        rows: All rows.

    Returns:
        A short hexadecimal digest.
    """
    named = string_constants(source)
    mine = [row for row in rows if row.get("notebook") == source.stem or row.get("id") in named]
    text = json.dumps(mine, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
