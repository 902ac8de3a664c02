"""What a notebook shows of the ledger: the box of a check, and the table of a chapter's claims."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from nbsrc.claims.html import badge, breakable, evidence_html, text_html
from nbsrc.claims.rows import Row, load_claims

__all__ = ["ChapterTable", "chapter_table", "check_box"]

# Inline styles serve JupyterLab; in the book _static/ledger.css takes over by the classes.
_BOX = "border:1px solid currentColor;border-left-width:6px;border-radius:4px;padding:.6em 1em"


def check_box(
    row: Row, record: Mapping[str, Any], problems: Sequence[str], *, linked: bool = True
) -> str:
    """Render the result of a check.

    Args:
        row: The claim.
        record: What its check recorded.
        problems: Where the evidence disagrees with the verdict.
        linked: Whether the id links to the ledger's page, which exists only beside the book's
            pages and not where a reader runs the notebook.

    Returns:
        HTML whose ``id`` attribute is the claim's anchor.
    """
    name = f'<span class="nb-claim-id">{breakable(row.id)}</span>'
    if linked:
        name = f'<a class="nb-claim-id" href="../ledger_{row.paper}.html#{row.id}">{row.id}</a>'
    parts = [
        f'<section class="nb-check nb-edge-{row.verdict} tex2jax_process mathjax_process" '
        f'id="{row.anchor}" style="{_BOX}" aria-label="Check of claim {row.id}">',
        '<p class="nb-check-head" style="margin:0 0 .4em"><strong>Claim '
        f"{name}</strong> "
        f'<span class="nb-where">{text_html(row.where)}</span> {badge(row.verdict)}</p>',
        f'<p class="nb-statement" style="margin:0 0 .4em">{text_html(row.statement)}</p>',
        evidence_html(row, record),
    ]
    if row.correction:
        parts.append(f"<p><strong>Correction.</strong> {text_html(row.correction)}</p>")
    if row.note:
        parts.append(f"<p><strong>Note.</strong> {text_html(row.note)}</p>")
    if problems:
        lines = "".join(f"<li>{escape(line)}</li>" for line in problems)
        parts.append(
            '<div class="nb-problems" role="alert"><strong>The evidence does not support the '
            f"ledger's verdict; the build refuses it.</strong><ul>{lines}</ul></div>"
        )
    parts.append("</section>")
    return "".join(parts)


class ChapterTable:
    """The claims of one chapter, as a table where a notebook displays it.

    Attributes:
        notebook: Stem of the chapter's notebook.
        rows: Its claims, in the papers' order.
    """

    def __init__(self, notebook: str, rows: Sequence[Row]) -> None:
        self.notebook = notebook
        self.rows = tuple(rows)

    def __repr__(self) -> str:
        lines = (f"{row.id}  {row.where}  {row.verdict_words}" for row in self.rows)
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        head = "".join(
            f'<th scope="col" style="text-align:left">{name}</th>'
            for name in ("Claim", "Statement")
        )
        body = "".join(_table_line(row) for row in self.rows)
        return (
            '<details class="nb-chapter-claims"><summary><strong>'
            f"{len(self.rows)} claims</strong>: {escape(self._counts())}. Show them all.</summary>"
            '<div class="nb-chapter tex2jax_process mathjax_process" style="overflow-x:auto" '
            'tabindex="0" role="region" aria-label="The claims of this chapter">'
            f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div></details>"
        )

    def _counts(self) -> str:
        """The number of claims per verdict in words, the most frequent verdict first."""
        counts = Counter(row.verdict_words for row in self.rows)
        return ", ".join(f"{number} {words}" for words, number in counts.most_common())


def chapter_table(notebook: str, folder: Path | None = None) -> ChapterTable:
    """List the claims that a notebook tests.

    Args:
        notebook: Stem of the notebook, such as ``"01_layer_norms"``.
        folder: Where the claims files lie; by default the checkout's ``claims``.

    Returns:
        A table; each id links to the check on the same page.

    Raises:
        ValueError: If no row names this notebook.
    """
    papers = load_claims(folder)
    rows = [row for paper in papers for row in paper.rows if row.notebook == notebook]
    if not rows:
        known = sorted({r.notebook for paper in papers for r in paper.rows if r.notebook})
        raise ValueError(f"notebook {notebook!r} has no claims; those that have: {known}")
    return ChapterTable(notebook, rows)


def _table_line(row: Row) -> str:
    name = f'<a class="nb-claim-id" href="#{row.anchor}">{breakable(row.id)}</a>'
    place = f'<span class="nb-where">{text_html(row.where)}</span>'
    style = "text-align:left;vertical-align:top"
    return (
        f'<tr><td style="{style}">{name}<br>{place}<br>{badge(row.verdict)}</td>'
        f'<td style="{style}">{text_html(row.statement)}</td></tr>'
    )
