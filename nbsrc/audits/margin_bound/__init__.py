"""Audits of Theorem 3.1 of paper C, its definitions and its proof: margins, cells, chance."""
