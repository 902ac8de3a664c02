"""The ledger's pages as MyST: the overview, one page per paper, and the landing page's counts.

Each claim is a raw HTML ``article`` around ordinary Markdown. So the statements are searchable and
their maths is Sphinx's own, while the layout (grid when wide, stacked when narrow) and the filter
come from ``book/_static/ledger.css`` and ``ledger.js``. Without JavaScript every claim is visible.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from html import escape

from nbsrc.claims.html import badge, breakable, evidence_html, text_html
from nbsrc.claims.ledger import Entry, Ledger, check_link
from nbsrc.claims.markdown import escape_markdown, myst
from nbsrc.claims.other_seeds import Repetition
from nbsrc.claims.other_seeds_page import seeds_sentence
from nbsrc.claims.printed import printed_numbers_html
from nbsrc.claims.rows import Paper, Row
from nbsrc.claims.schema import VERDICTS
from nbsrc.claims.wording import HOW_TO_READ, INTRODUCTION, MEANINGS, RULES

__all__ = ["counts_page", "overview_page", "paper_page"]

FOUND_WANTING = ("fails", "holds-with-correction", "imprecise", "not-reproduced")
_CLAIM_ID = re.compile(r"\b[A-Z]\.[A-Za-z0-9_.-]*[A-Za-z0-9]")
NO_ASSUMPTIONS = frozenset({"none beyond the setting", "none stated", "none", "-"})


def overview_page(ledger: Ledger) -> str:
    """Write ``ledger.md``: the words, the counts, what was found wanting, how to read a row.

    Args:
        ledger: All papers with their evidence.

    Returns:
        MyST Markdown.
    """
    words = "\n".join(
        f"<div><dt>{badge(verdict)}</dt><dd>{text_html(MEANINGS[verdict])}</dd></div>"
        for verdict in VERDICTS
    )
    return (
        "\n\n".join([
            "# The claim ledger",
            INTRODUCTION,
            "## Counts",
            _counts_table(ledger, tuple(VERDICTS)),
            "## What the verdicts mean",
            f'<div><dl class="nb-words">\n{words}\n</dl></div>',
            "## How to read a row",
            HOW_TO_READ,
            "## What was found wanting",
            _found_wanting(ledger),
            "## What the build enforces",
            RULES,
        ])
        + "\n"
    )


def paper_page(
    ledger: Ledger,
    paper: Paper,
    titles: Mapping[str, str],
    repetitions: Sequence[Repetition] = (),
) -> str:
    """Write the page of one paper.

    Args:
        ledger: All papers with their evidence.
        paper: The paper.
        titles: Titles of the notebooks, by stem.
        repetitions: The checks with other seeds.

    Returns:
        MyST Markdown.
    """
    known = ledger.entries.keys()
    articles = [_article(e, titles, repetitions, known) for e in ledger.of_paper(paper)]
    return (
        "\n\n".join([
            f"# Paper {paper.letter}: {escape_markdown(paper.short)}",
            f"{myst(paper.title)}. The words are explained in [the overview](ledger.md).",
            _filter_strip(ledger.counts(paper)),
            '<div class="nb-ledger">',
            *articles,
            "</div>",
        ])
        + "\n"
    )


def counts_page(ledger: Ledger) -> str:
    """Write the counts that the landing page includes.

    Args:
        ledger: All papers with their evidence.

    Returns:
        MyST Markdown: a sentence and a table, without a heading.
    """
    total = ledger.total()
    claims, waiting = sum(total.values()), total["not-tested"]
    used = tuple(verdict for verdict in VERDICTS if total[verdict])
    sentence = f"The ledger holds {claims} claims; {claims - waiting} of them are tested so far."
    return f"{sentence}\n\n{_counts_table(ledger, used)}\n"


def _counts_table(ledger: Ledger, verdicts: tuple[str, ...]) -> str:
    """Return the table of verdicts and papers; a number links to its rows."""
    papers = ledger.papers
    counts = {paper.letter: ledger.counts(paper) for paper in papers}
    total = ledger.total()
    head = "".join(
        f'<th scope="col"><a href="ledger_{paper.letter}.html" title="{escape(paper.short)}">'
        f"{paper.letter}</a></th>"
        for paper in papers
    )
    lines = []
    for verdict in verdicts:
        cells = "".join(_count_cell(letter, verdict, n[verdict]) for letter, n in counts.items())
        lines.append(
            f'<tr><th scope="row">{badge(verdict)}</th>{cells}<td>{total[verdict]}</td></tr>'
        )
    sums = "".join(f"<td>{len(paper.rows)}</td>" for paper in papers)
    lines.append(f'<tr><th scope="row">all claims</th>{sums}<td>{sum(total.values())}</td></tr>')
    legend = "; ".join(f"{paper.letter}: {escape(paper.short)}" for paper in papers)
    return (
        '<div class="nb-counts" tabindex="0" role="region" aria-label="Counts per paper and '
        'verdict"><table class="table">\n'
        f'<thead><tr><th scope="col">Verdict</th>{head}<th scope="col">all</th></tr></thead>\n'
        f'<tbody>\n{chr(10).join(lines)}\n</tbody></table><p class="nb-where">{legend}.</p></div>'
    )


def _count_cell(letter: str, verdict: str, count: int) -> str:
    if not count:
        return "<td>0</td>"
    return f'<td><a href="ledger_{letter}.html#verdict-{verdict}">{count}</a></td>'


def _filter_strip(counts: Mapping[str, int]) -> str:
    """Return the counts of one paper; the script turns them into the filter."""
    items = "\n".join(
        f'<li id="verdict-{verdict}" data-verdict="{verdict}">{badge(verdict)} '
        f'<span class="nb-n">{count}</span></li>'
        for verdict, count in counts.items()
        if count
    )
    return f'<div class="nb-filter" data-total="{sum(counts.values())}"><ul>\n{items}\n</ul></div>'


def _found_wanting(ledger: Ledger) -> str:
    rows = [e.row for e in ledger.entries.values() if e.row.verdict in FOUND_WANTING]
    if not rows:
        return "Nothing so far."
    rows.sort(key=lambda row: (row.paper, FOUND_WANTING.index(row.verdict)))
    lines = []
    for row in rows:
        text = row.correction or row.note or ""
        lines.append(
            f'<li>{badge(row.verdict)} <a class="nb-claim-id" href="ledger_{row.paper}.html#'
            f'{row.id}">{row.id}</a> <span class="nb-where">{text_html(row.where)}</span>'
            f"<br>{text_html(text)}</li>"
        )
    text = "The statements that need a correction, fail, or could not be reproduced."
    return f'{text}\n\n<div><ul class="nb-wanting">\n{chr(10).join(lines)}\n</ul></div>'


def _article(
    entry: Entry,
    titles: Mapping[str, str],
    repetitions: Sequence[Repetition],
    known: Collection[str],
) -> str:
    """Return one claim."""
    row = entry.row
    side = (
        f'<a class="nb-claim-id" href="#{row.id}" aria-label="Link to claim {row.id}">'
        f"{breakable(row.id)}</a> "
        f'{badge(row.verdict)} <span class="nb-where">{text_html(row.where)}</span> '
        f'<span class="nb-kind">{escape(row.kind)}</span>'
    )
    blocks = [
        f'<article class="nb-claim nb-edge-{row.verdict}" id="{row.id}" '
        f'data-verdict="{row.verdict}" aria-label="Claim {row.id}">\n'
        f'<div class="nb-claim-side">{side}</div>\n<div class="nb-claim-main">',
        myst(row.statement),
        *_after_statement(row, known),
        *_evidence(entry, titles, repetitions),
        *_details(row),
        "</div>\n</article>",
    ]
    return "\n\n".join(blocks)


def _after_statement(row: Row, known: Collection[str]) -> list[str]:
    blocks = []
    if row.correction:
        blocks.append(f"**Correction.** {_linked(row.correction, known)}")
    if row.note:
        blocks.append(f"**Note.** {_linked(row.note, known)}")
    if row.reason:
        text = _linked(row.reason, known)
        blocks.append(f'<div class="nb-reason">\n\n**Not tested.** {text}\n\n</div>')
    return blocks


def _linked(text: str, known: Collection[str]) -> str:
    """Return MyST in which the ids of claims are links to their rows."""
    found: list[str] = []

    def mark(match: re.Match[str]) -> str:
        if match[0] not in known:
            return match[0]
        found.append(match[0])
        return f"\ue000{len(found) - 1}\ue001"  # private characters, which no text holds

    line = myst(_CLAIM_ID.sub(mark, text))
    for number, name in enumerate(found):
        link = f'<a href="ledger_{name[0]}.html#{name}">{escape(name)}</a>'
        line = line.replace(f"\ue000{number}\ue001", link)
    return line


def _evidence(
    entry: Entry, titles: Mapping[str, str], repetitions: Sequence[Repetition]
) -> list[str]:
    if entry.record is None:
        return []
    row = entry.row
    title = titles.get(str(row.notebook), str(row.notebook))
    tier = f" at tier {escape(entry.tier)}" if entry.tier else ""
    link = f'<a href="{check_link(row)}">See the check in “{escape(title)}”</a>{tier}'
    seeds = seeds_sentence(row, repetitions)
    seeds = f'. <a href="other_seeds.html">Other seeds</a>: {seeds}' if seeds else ""
    return [f"<div>{evidence_html(row, entry.record)}<p>{link}{seeds}</p></div>"]


def _details(row: Row) -> list[str]:
    """Return what a row says about its test, folded; assumptions first."""
    items = [("Assumptions", row.assumptions), ("Inputs", row.inputs), ("Test", row.reproduce)]
    items += [("Cost", row.cost), ("Transcription", row.ocr)]
    lines = [f"**{label}.** {myst(text)}" for label, text in items if text]
    if row.assumptions in NO_ASSUMPTIONS:
        lines = lines[1:]
    table = [printed_numbers_html(row.columns, row.data)] if row.data is not None else []
    summary = "Setting, test plan and printed numbers" if table else "Setting and test plan"
    return ["<details>\n<summary>" + summary + "</summary>", *lines, *table, "</details>"]
