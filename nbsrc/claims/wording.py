"""The fixed texts of the ledger's pages."""

from __future__ import annotations

__all__ = ["HOW_TO_READ", "INTRODUCTION", "MEANINGS", "RULES"]

INTRODUCTION = """\
The ledger has a row for every claim of the four papers that can be checked: theorems, equations,
steps of proofs, tables, figures, and sentences that assert something. A row gets its verdict from a
check in a notebook, and the build fails when the two disagree."""

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

HOW_TO_READ = """\
- The **statement** is in our words. Its place in the paper stands beside it.
- **As printed** is the result of testing the statement literally, with the paper's definitions.
  *Trials* is the number of cases.
- **Worst slack** is the smallest slack over all cases: {math}`b-a` for an inequality
  {math}`a\\le b`, and {math}`-|a-b|` for an equality {math}`a=b`. Below minus the *tolerance*,
  which allows for rounding, it is a violation.
- **Negative control**: a hypothesis was dropped or a formula was broken on purpose, and the check
  had to notice. A check without one counts for nothing.
- **Counterexample** is the smallest violating case that was found.
- **See the check** opens the notebook's page at the cell that made the numbers.
- *Setting and test plan* opens the assumptions, how the claim can be tested, and doubts about the
  transcription. The papers' text comes from optical character recognition (OCR)."""

RULES = """\
- A row that claims a verdict has evidence from exactly one notebook, the one it names.
- *holds* needs trials, a slack within the tolerance, and no counterexample.
- *holds after a correction* and *imprecise* need a counterexample to the printed statement, a
  stated correction, and a corrected test that holds.
- *fails as printed* needs a counterexample, and a correction or a note that says why none saves
  it.
- The three verdicts of experiments need our numbers and the paper's, and an outcome equal to the
  verdict.
- Every check states a tolerance and has at least one negative control, and every control broke.
- A row that is not tested has no evidence, and a reason."""
