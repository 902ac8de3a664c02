"""Numerical audits: functions that test a printed statement over a family of cases.

An audit takes the statement's ingredients as arguments (a formula, a family of layers), so that a
notebook can run it on what is printed, on a correction, and on a negative control. It returns a
:class:`nbsrc.claims.Finding`.
"""
