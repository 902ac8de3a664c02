"""Audits of Roth, Kilcher & Hofmann (2020), sections 3 to 4.2: operator norms, power method."""
