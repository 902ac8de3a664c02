"""Audits of the printed numbers of paper C: Tables 1 to 6 and appendix B.2, and what is said."""
