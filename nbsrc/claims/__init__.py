"""The claim ledger: what the papers say, what was tested, and how it came out.

In a notebook::

    from nbsrc import claims

    claims.chapter_table("01_layer_norms")  # the chapter's claims
    with claims.check("A.thm1.linf", tolerance=1e-10) as c:
        c.literal(holds=True, worst_slack=-3e-13, trials=4000, family="random layers")
        c.control("drop Assumption 1", broke=True, detail="...")

The rows live in ``claims/<paper>.yml`` (`nbsrc.claims.rows`, `nbsrc.claims.schema`); the rules
that bind a verdict to its evidence in `nbsrc.claims.consistency`; ``python -m nbsrc ledger`` joins
both and writes the pages.
"""

from nbsrc.claims.display import ChapterTable, chapter_table
from nbsrc.claims.evidence import Check, check
from nbsrc.claims.finding import Finding
from nbsrc.claims.rows import ClaimsFileError, Row, load_claims, row

__all__ = [
    "ChapterTable",
    "Check",
    "ClaimsFileError",
    "Finding",
    "Row",
    "chapter_table",
    "check",
    "load_claims",
    "row",
]
