"""Executed notebooks in one form: two runs of one source give the same bytes.

Removed is what changes from run to run and says nothing about the result: papermill's and the
kernel's time stamps and paths, random cell ids, and how the output streams were cut into pieces.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from typing import Any

from nbsrc.building.source import cell_text

_HIDDEN_TAGS = {"parameters", "injected-parameters"}
_VOLATILE_NOTEBOOK = ("papermill", "widgets", "signature")
_VOLATILE_CELL = ("papermill", "execution")


def canonicalise(document: dict[str, Any]) -> dict[str, Any]:
    """Bring an executed notebook into its canonical form.

    Args:
        document: The notebook's JSON; it is left as it is.

    Returns:
        A new document with volatile metadata dropped, cell ids made from the content, adjacent
        pieces of one stream joined, and the parameter cells tagged ``remove-cell``.
    """
    document = json.loads(json.dumps(document))
    for name in _VOLATILE_NOTEBOOK:
        document.get("metadata", {}).pop(name, None)
    document["nbformat"], document["nbformat_minor"] = 4, 5  # 4.5 is the first with cell ids
    seen: Counter[str] = Counter()
    for cell in document["cells"]:
        _canonicalise_cell(cell, seen)
    return document


def to_text(document: dict[str, Any]) -> str:
    """Serialise a notebook, the same text for the same content.

    Args:
        document: The notebook's JSON.

    Returns:
        JSON with sorted keys, as Jupyter itself writes it.
    """
    return json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def _canonicalise_cell(cell: dict[str, Any], seen: Counter[str]) -> None:
    metadata = cell.setdefault("metadata", {})
    for name in _VOLATILE_CELL:
        metadata.pop(name, None)
    tags = metadata.get("tags", [])
    if _HIDDEN_TAGS & set(tags) and "remove-cell" not in tags:
        metadata["tags"] = [*tags, "remove-cell"]
    digest = hashlib.sha256(f"{cell['cell_type']}\0{cell_text(cell)}".encode()).hexdigest()[:12]
    seen[digest] += 1
    cell["id"] = f"{digest}-{seen[digest]}"
    if cell["cell_type"] == "code":
        cell["outputs"] = _join_streams(cell.get("outputs", []))


def _join_streams(outputs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Join adjacent pieces of one stream, whose borders depend on timing.

    Args:
        outputs: Outputs of a cell.

    Returns:
        The outputs, neighbours of one stream joined.
    """
    joined: list[dict[str, Any]] = []
    for output in outputs:
        if output["output_type"] == "stream":
            text = _text(output["text"])
            if joined and joined[-1].get("name") == output["name"]:
                text = _text(joined.pop()["text"]) + text
            output = {**output, "text": text.splitlines(keepends=True)}
        joined.append(output)
    return joined


def _text(value: str | list[str]) -> str:
    return value if isinstance(value, str) else "".join(value)
