r"""Small pieces of HTML: text with maths, numbers, badges, and the evidence of a check.

Maths between dollar signs becomes ``\(...\)`` in an element of the classes that Sphinx, Jupyter
Book and JupyterLab all hand to MathJax.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from nbsrc.claims.rows import Row
from nbsrc.claims.schema import VERDICTS

__all__ = [
    "badge",
    "breakable",
    "evidence_html",
    "number",
    "scrolling_table",
    "split_maths",
    "text_html",
    "value_html",
]

SYMBOLS = {
    "holds": "✓",
    "holds-with-correction": "✎",
    "imprecise": "≈",
    "fails": "✗",
    "reproduced": "✓",
    "partly-reproduced": "◐",
    "not-reproduced": "✗",
    "not-tested": "○",
}
MAX_ITEMS = 24  # of a list shown in full
_MATHS = re.compile(r"\$([^$]+)\$")


def split_maths(text: str) -> list[tuple[bool, str]]:
    """Cut a text at its dollar signs.

    Args:
        text: Text in which maths stands between dollar signs.

    Returns:
        Pairs (is maths, content) in order, empty pieces left out.
    """
    pieces = _MATHS.split(text)
    return [(index % 2 == 1, piece) for index, piece in enumerate(pieces) if piece]


def text_html(text: str) -> str:
    """Render text with maths as HTML.

    Args:
        text: Text in which maths stands between dollar signs.

    Returns:
        Escaped HTML; the maths is left to MathJax.
    """
    return "".join(
        rf'<span class="math tex2jax_process mathjax_process">\({escape(piece)}\)</span>'
        if maths
        else escape(piece)
        for maths, piece in split_maths(" ".join(text.split()))
    )


def number(value: float) -> str:
    """Format a number for readers: integers in full, others to four digits.

    Args:
        value: The number.

    Returns:
        Its text.
    """
    if isinstance(value, int):
        return f"{value:,}"
    value += 0.0  # no minus before a zero
    return f"{value:,.0f}" if value.is_integer() and abs(value) < 1e9 else f"{value:.4g}"


def value_html(value: Any) -> str:
    """Render a plain JSON value in one line.

    Args:
        value: What `nbsrc.claims.plain.plain` returns.

    Returns:
        Escaped HTML.

    Example:
        >>> value_html({"twins": {"cells": 16, "alike": 15}, "trials": [{"a": 1}, {"a": 2}]})
        'twins: cells = 16, alike = 15; trials = [(a = 1), (a = 2)]'
    """
    if isinstance(value, Mapping):
        parts = [
            f"{escape(_words(key))}: {_inner_html(part)[1:-1]}"
            if isinstance(part, Mapping) and part
            else f"{escape(_words(key))} = {_inner_html(part)}"
            for key, part in value.items()
        ]
        return "; ".join(parts)
    return _inner_html(value)


def _inner_html(value: Any) -> str:
    """Render a value inside of another one: a mapping stands in parentheses."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (int, float)):
        return number(value)
    if isinstance(value, str):
        return text_html(value)
    if isinstance(value, Mapping):
        parts = (f"{escape(_words(key))} = {_inner_html(part)}" for key, part in value.items())
        return f"({', '.join(parts)})"
    items = [_inner_html(part) for part in value[:MAX_ITEMS]]
    more = f", … ({len(value)} values)" if len(value) > MAX_ITEMS else ""
    return f"[{', '.join(items)}{more}]"


def breakable(name: str) -> str:
    """Render a claim id so that a narrow column breaks it after a dot or an underscore.

    Args:
        name: The id.

    Returns:
        HTML.
    """
    return re.sub(r"([._])", r"\1<wbr>", escape(name))


def badge(verdict: str) -> str:
    """Render a verdict as a badge that says it in words; colour only repeats it.

    Args:
        verdict: One of `nbsrc.claims.schema.VERDICTS`.

    Returns:
        HTML.
    """
    return (
        f'<span class="nb-badge nb-{verdict}"><span aria-hidden="true">{SYMBOLS[verdict]}</span> '
        f"{VERDICTS[verdict]}</span>"
    )


def scrolling_table(
    label: str, heads: Sequence[str], lines: Sequence[tuple[str, Sequence[str]]]
) -> str:
    """Render a table that scrolls sideways where it has no room.

    Args:
        label: What the table shows, for those who hear the page.
        heads: The columns' names.
        lines: HTML of the first cell of a line, which is the line's header, and of the others.

    Returns:
        HTML.
    """
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in heads)
    body = "\n".join(
        f'<tr><th scope="row">{first}</th>{"".join(f"<td>{cell}</td>" for cell in cells)}</tr>'
        for first, cells in lines
    )
    return (
        f'<div class="nb-counts nb-lines" tabindex="0" role="region" aria-label="{escape(label)}">'
        f'<table class="table">\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody></table>'
        "</div>"
    )


def evidence_html(row: Row, record: Mapping[str, Any]) -> str:
    """Render the evidence of a check: results, counterexample, outcome, controls, measurements.

    Args:
        row: The claim.
        record: What its check recorded.

    Returns:
        An HTML description list.
    """
    tolerance = record.get("tolerance")
    items: list[tuple[str, str]] = []
    printed = "As stated" if row.where == "beyond the paper" else "As printed"
    for name, label in (("literal", printed), ("corrected", "As corrected")):
        finding = record.get(name)
        if finding:
            items.append((label, _finding(finding, tolerance)))
            if finding.get("counterexample") is not None:
                items.append(("Counterexample", value_html(finding["counterexample"])))
    outcome = record.get("outcome")
    if outcome:
        items += [
            ("Ours", value_html(outcome["ours"])),
            ("The paper's", value_html(outcome["paper"])),
        ]
        if tolerance:
            items.append(("Tolerance", number(tolerance)))
    items += [("Negative control", _control(control)) for control in record.get("controls") or []]
    measured = record.get("measured") or {}
    items += [(_label(name), value_html(value)) for name, value in measured.items()]
    return description_list(items)


def description_list(items: Sequence[tuple[str, str]]) -> str:
    """Render pairs of a label and HTML as a description list.

    Args:
        items: The pairs; labels are escaped, contents are not.

    Returns:
        HTML on one line, so that Markdown does not end the block early.
    """
    parts = (f"<div><dt>{escape(label)}</dt><dd>{html}</dd></div>" for label, html in items)
    return f'<dl class="nb-evidence">{"".join(parts)}</dl>'


def _finding(finding: Mapping[str, Any], tolerance: float | None) -> str:
    words = "no violation" if finding["holds"] else "violated"
    parts = [f"<strong>{words}</strong> in {_count(finding['trials'], 'trial')}"]
    if finding["worst_slack"] is not None:
        parts.append(f"worst slack {number(finding['worst_slack'])}")
    parts.append("no tolerance stated" if tolerance is None else f"tolerance {number(tolerance)}")
    family = f"; family: {text_html(finding['family'])}" if finding["family"] else ""
    return ", ".join(parts) + family


def _control(control: Mapping[str, Any]) -> str:
    result = "rejected, as it must be" if control["broke"] else "NOT rejected"
    detail = f" ({text_html(control['detail'])})" if control["detail"] else ""
    return f"<em>{text_html(control['name'])}</em> → {result}{detail}"


def _count(value: int, noun: str) -> str:
    return f"{number(value)} {noun}{'' if value == 1 else 's'}"


def _label(name: str) -> str:
    words = _words(name)
    return words[:1].upper() + words[1:]


def _words(name: str) -> str:
    return str(name).replace("_", " ")
