"""Audits of the projection lemma of Roth, Kilcher & Hofmann, and of the lemmas around it.

Cases come in batches: vectors of one length and one order p of the norm. Whole numbers come first,
so that a statement that fails shows its smallest counterexample.
"""
