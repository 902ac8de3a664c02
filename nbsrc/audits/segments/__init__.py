"""Audits of Wen, Li & Jia (2020), sections 2, 3, 4.2.2 and C.2: segments through linear regions."""
