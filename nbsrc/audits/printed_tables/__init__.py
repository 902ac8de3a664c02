"""Tables 1 to 6 and the numbers of appendix B.2 of Wen, Li & Jia (2020), recomputed.

Printed numbers are held as integers in units of their last digit, so that all arithmetic is exact.
Only the printing is tested here: nothing was trained again.
"""
