"""The ledger's pages as MyST: the overview, one page per paper, and the landing page's counts.

Each claim is a raw HTML ``article`` around ordinary Markdown. So the statements are searchable and
their maths is Sphinx's own, while the layout (grid when wide, stacked when narrow) and the filter
come from ``book/_static/ledger.css`` and ``ledger.js``. Without JavaScript every claim is visible.
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from nbsrc.claims.html import badge, evidence_html, text_html
from nbsrc.claims.ledger import Entry, Ledger, check_link
from nbsrc.claims.markdown import escape_markdown, myst
from nbsrc.claims.printed import printed_numbers_html
from nbsrc.claims.rows import VERDICTS, Paper, Row

__all__ = ["counts_page", "overview_page", "paper_page"]

MEANINGS = {
    "holds": "Tested literally over the stated family of cases and the edge cases; no violation "
    "beyond the tolerance.",
    "holds-with-correction": "False or undefined as printed in some case; the correction stated "
    "beside it passes the same tests.",
    "imprecise": "A wording, constant, index or unit is wrong or ambiguous, without harm to what "
    "follows from it.",
    "fails": "A counterexample meets every printed hypothesis, and no small correction saves the "
    "statement.",
    "reproduced": "Experiment: our numbers support the paper's, at the stated tier.",
    "partly-reproduced": "Experiment: some of the paper's numbers or conclusions are supported, "
    "others are not.",
    "not-reproduced": "Experiment: our numbers do not support the paper's.",
    "not-tested": "No evidence yet; the row says why.",
}
FOUND_WANTING = ("fails", "holds-with-correction", "imprecise", "not-reproduced")
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
            "The ledger has a row for every claim of the four papers that can be checked: theorems, "
            "equations, steps of proofs, tables, figures, and sentences that assert something. "
            "A row gets its verdict from a check in a notebook, and the build fails when the two "
            "disagree.",
            "## Counts",
            _counts_table(ledger, tuple(VERDICTS)),
            "## What the verdicts mean",
            f'<div><dl class="nb-words">\n{words}\n</dl></div>',
            "## How to read a row",
            _HOW_TO_READ,
            "## What was found wanting",
            _found_wanting(ledger),
            "## What the build enforces",
            _RULES,
        ])
        + "\n"
    )


_HOW_TO_READ = """\
- The **statement** is in our words. Its place in the paper stands beside it.
- **As printed** is the result of testing the statement literally, with the paper's own definitions.
  *Trials* is the number of cases. *Worst slack* is the smallest value of bound minus value over all of
  them: a negative number below minus the *tolerance* is a violation.
- **Negative control**: a hypothesis was dropped or a formula was broken on purpose, and the check had
  to notice. A check without one counts for nothing.
- **Counterexample** is the smallest violating case that was found.
- **See the check** opens the notebook's page at the cell that made the numbers.
- *Setting and test plan* opens the assumptions, how the claim can be tested, and doubts about the
  transcription. Some of the papers' text comes from optical character recognition (OCR)."""

_RULES = """\
- A row that claims a verdict has evidence from exactly one notebook, the one it names.
- *holds* needs trials, a slack within the tolerance, and no counterexample.
- *holds after a correction* and *imprecise* need a counterexample to the printed statement, a stated
  correction, and a corrected test that holds.
- *fails as printed* needs a counterexample, and a correction or a note that says why none saves it.
- The three verdicts of experiments need our numbers and the paper's, and an outcome equal to the
  verdict.
- Every check states a tolerance and has at least one negative control, and every control broke.
- A row that is not tested has no evidence, and a reason."""


def paper_page(ledger: Ledger, paper: Paper, titles: Mapping[str, str]) -> str:
    """Write the page of one paper.

    Args:
        ledger: All papers with their evidence.
        paper: The paper.
        titles: Titles of the notebooks, by stem.

    Returns:
        MyST Markdown.
    """
    articles = [_article(entry, titles) for entry in ledger.of_paper(paper)]
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
    """Return the table of papers and verdicts; a number links to its rows."""
    head = "".join(f'<th scope="col">{VERDICTS[verdict]}</th>' for verdict in verdicts)
    lines = []
    for paper in ledger.papers:
        page, counts = f"ledger_{paper.letter}.html", ledger.counts(paper)
        cells = "".join(
            f'<td><a href="{page}#verdict-{verdict}">{counts[verdict]}</a></td>'
            if counts[verdict]
            else "<td>0</td>"
            for verdict in verdicts
        )
        lines.append(
            f'<tr><th scope="row"><a href="{page}">{paper.letter}</a>: {escape(paper.short)}</th>'
            f"<td>{len(paper.rows)}</td>{cells}</tr>"
        )
    total = ledger.total()
    cells = "".join(f"<td>{total[verdict]}</td>" for verdict in verdicts)
    lines.append(f'<tr><th scope="row">All</th><td>{sum(total.values())}</td>{cells}</tr>')
    return (
        '<div class="nb-counts" tabindex="0" role="region" aria-label="Counts per paper and '
        'verdict"><table class="table">\n'
        f'<thead><tr><th scope="col">Paper</th><th scope="col">claims</th>{head}</tr></thead>\n'
        f"<tbody>\n{chr(10).join(lines)}\n</tbody></table></div>"
    )


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
    # One real formula makes Sphinx load MathJax on a page whose maths is otherwise raw HTML.
    return (
        "The statements that need a correction, fail, or could not be reproduced, in the norms "
        "{math}`\\ell_1`, {math}`\\ell_2`, {math}`\\ell_\\infty` and elsewhere.\n\n"
        f'<div><ul class="nb-wanting">\n{chr(10).join(lines)}\n</ul></div>'
    )


def _article(entry: Entry, titles: Mapping[str, str]) -> str:
    """Return one claim."""
    row = entry.row
    side = (
        f'<a class="nb-claim-id" href="#{row.id}" aria-label="Link to claim {row.id}">{row.id}</a> '
        f'{badge(row.verdict)} <span class="nb-where">{text_html(row.where)}</span> '
        f'<span class="nb-kind">{escape(row.kind)}</span>'
    )
    blocks = [
        f'<article class="nb-claim nb-edge-{row.verdict}" id="{row.id}" '
        f'data-verdict="{row.verdict}" aria-label="Claim {row.id}">\n'
        f'<div class="nb-claim-side">{side}</div>\n<div class="nb-claim-main">',
        myst(row.statement),
        *_after_statement(row),
        *_evidence(entry, titles),
        *_details(row),
        "</div>\n</article>",
    ]
    return "\n\n".join(blocks)


def _after_statement(row: Row) -> list[str]:
    blocks = []
    if row.correction:
        blocks.append(f"**Correction.** {myst(row.correction)}")
    if row.note:
        blocks.append(f"**Note.** {myst(row.note)}")
    if row.reason:
        blocks.append(f'<div class="nb-reason">\n\n**Not tested.** {myst(row.reason)}\n\n</div>')
    return blocks


def _evidence(entry: Entry, titles: Mapping[str, str]) -> list[str]:
    if entry.record is None:
        return []
    row = entry.row
    title = titles.get(str(row.notebook), str(row.notebook))
    tier = f" at tier {escape(entry.tier)}" if entry.tier else ""
    link = f'<a href="{check_link(row)}">See the check in “{escape(title)}”</a>{tier}'
    return [f"<div>{evidence_html(row, entry.record)}<p>{link}</p></div>"]


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
