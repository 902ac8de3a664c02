"""What other seeds gave, for readers: a sentence for each row, and the page of all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from nbsrc.claims.consistency import EXPERIMENT_VERDICTS
from nbsrc.claims.html import badge, number, scrolling_table, text_html, value_html
from nbsrc.claims.ledger import Entry, Ledger
from nbsrc.claims.other_seeds import AGREES, DIFFERS, EQUAL, Repeated, Repetition
from nbsrc.claims.rows import Paper, Row

__all__ = ["other_seeds_page", "seeds_sentence", "seeds_summary"]

_NUMBERS = (
    "A verdict is a coarse word, and *partly reproduced* the coarsest: it can stay while its parts "
    "change. So here are the numbers, for every experiment into which a seed enters."
)


def seeds_sentence(row: Row, repetitions: Sequence[Repetition]) -> str:
    """Say what other seeds gave for a row.

    Args:
        row: A tested row.
        repetitions: The recorded ones.

    Returns:
        HTML of a sentence; empty if nothing is recorded for the row's present verdict.
    """
    found = _of_row(row, repetitions)
    if not found:
        return ""
    if all(entry.found == EQUAL for entry in found.values()):
        return f"The same evidence with {_seeds(list(found))}."
    same = [seed for seed, entry in found.items() if entry.found != DIFFERS]
    parts = [f"The same verdict with {_seeds(same)}."] if same else []
    parts += [
        f"With {_seeds([seed])} {_word(entry)}."
        for seed, entry in found.items()
        if entry.found == DIFFERS
    ]
    return " ".join(parts)


def seeds_summary(papers: Sequence[Paper], repetitions: Sequence[Repetition]) -> str:
    """Say for the landing page how many verdicts other seeds leave as they are.

    Args:
        papers: The ledger.
        repetitions: The recorded ones.

    Returns:
        MyST Markdown: a sentence with a link; empty if nothing is recorded.
    """
    rows = [row for paper in papers for row in paper.rows if row.verdict != "not-tested"]
    found = [list(_of_row(row, repetitions).values()) for row in rows]
    repeated = [entries for entries in found if len(entries) == len(repetitions) > 0]
    if not repeated:
        return ""
    same = sum(all(entry.found != DIFFERS for entry in entries) for entries in repeated)
    return (
        f"All checks were repeated with {_seeds([e.seed for e in repetitions])}: {same} of "
        f"{len(repeated)} verdicts are the same each time ([which are not](other_seeds.md))."
    )


def other_seeds_page(ledger: Ledger, repetitions: Sequence[Repetition]) -> str:
    """Write ``_generated/other_seeds.md``.

    Args:
        ledger: All papers with the evidence of this build.
        repetitions: The recorded ones.

    Returns:
        MyST Markdown, from the second level of headings on.
    """
    if not repetitions:
        return "No repetition is recorded.\n"
    entries = [e for e in ledger.entries.values() if e.row.verdict != "not-tested"]
    differing = [e.row for e in entries if _differs(e.row, repetitions)]
    title = "Rows whose verdict another seed turns"
    blocks = ["## Counts", _counts_table([e.row for e in entries], repetitions), f"## {title}"]
    if differing:
        lines = [_line(row, repetitions) for row in differing]
        heads = ("Claim", "ledger", *(f"seed {entry.seed}" for entry in repetitions))
        blocks.append(scrolling_table(title, heads, lines))
    else:
        blocks.append("None.")
    blocks += ["## What the experiments gave", _NUMBERS]
    blocks += [text for entry in entries for text in _numbers(entry, repetitions)]
    blocks.append(_made(repetitions))
    return "\n\n".join(blocks) + "\n"


def _counts_table(rows: Sequence[Row], repetitions: Sequence[Repetition]) -> str:
    """Return the table of kinds of rows and what came of them."""
    heads = ("Rows", "tested", "same evidence", "same verdict", "another verdict",
             "verdict new since")  # fmt: skip
    kinds = {
        "statements": [row for row in rows if row.verdict not in EXPERIMENT_VERDICTS],
        "experiments": [row for row in rows if row.verdict in EXPERIMENT_VERDICTS],
    }
    lines = []
    for entry in repetitions:
        for kind, chosen in kinds.items():
            found = [seen.found for row in chosen for seen in _of_row(row, [entry]).values()]
            cells = [len(chosen), *(found.count(word) for word in (EQUAL, AGREES, DIFFERS))]
            cells.append(len(chosen) - len(found))
            title = f"{kind}, seed {entry.seed}, tier {escape(entry.tier)}"
            lines.append((title, [number(cell) for cell in cells]))
    return scrolling_table("Checks repeated with other seeds", heads, lines)


def _line(row: Row, repetitions: Sequence[Repetition]) -> tuple[str, list[str]]:
    """Return one row whose verdict differs."""
    link = f'<a class="nb-claim-id" href="ledger_{row.paper}.html#{row.id}">{escape(row.id)}</a>'
    cells = [badge(row.verdict)]
    for entry in repetitions:
        seen = _of_row(row, [entry]).get(entry.seed)
        if seen is None:
            cells.append("not repeated")
        else:
            cells.append("the same" if seen.found != DIFFERS else _word(seen))
    return f'{link} <span class="nb-asks">{text_html(row.where)}</span>', cells


def _numbers(entry: Entry, repetitions: Sequence[Repetition]) -> list[str]:
    """Return what an experiment gave with each seed, folded; nothing if all is equal."""
    found = {
        seed: seen.ours
        for seed, seen in _of_row(entry.row, repetitions).items()
        if seen.ours is not None
    }
    if not found:
        return []
    outcome = (entry.record or {}).get("outcome") or {}
    parts = {"this build": outcome.get("ours")} | {f"seed {s}": ours for s, ours in found.items()}
    cells = "".join(
        f"<div><dt>{name}</dt><dd>{value_html(ours)}</dd></div>" for name, ours in parts.items()
    )
    title = f"{escape(entry.row.id)} {text_html(entry.row.where)}"
    return [
        f'<details class="nb-chapter-claims"><summary>{title}</summary>'
        f'<dl class="nb-evidence">{cells}</dl></details>'
    ]


def _word(entry: Repeated) -> str:
    """Return another verdict, or why there is none."""
    if entry.verdict is not None and entry.verdict != entry.ledger:
        return badge(entry.verdict)
    return escape("; ".join(entry.problems))


def _seeds(seeds: Sequence[int]) -> str:
    return ("seed " if len(seeds) == 1 else "seeds ") + " and ".join(str(seed) for seed in seeds)


def _of_row(row: Row, repetitions: Sequence[Repetition]) -> dict[int, Repeated]:
    """Return what each repetition found, if the verdict it was compared with still stands."""
    found: Mapping[int, Repeated | None] = {e.seed: e.rows.get(row.id) for e in repetitions}
    return {
        seed: seen
        for seed, seen in found.items()
        if seen is not None and seen.ledger == row.verdict
    }


def _differs(row: Row, repetitions: Sequence[Repetition]) -> bool:
    return any(seen.found == DIFFERS for seen in _of_row(row, repetitions).values())


def _made(repetitions: Sequence[Repetition]) -> str:
    """Return where the repetitions were computed."""
    lines = [
        f"- Seed {entry.seed}: commit `{entry.provenance['commit']}`, "
        f"{entry.provenance['processor']}, {entry.provenance['recorded'][:10]}."
        for entry in repetitions
    ]
    return "\n".join(["## Where they were computed", "", *lines])
