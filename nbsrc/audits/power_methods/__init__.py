"""Audits of Roth, Kilcher & Hofmann: attacks and adversarial training as power methods.

A case is a :class:`~nbsrc.audits.power_methods.cases.Case`: a network, a point, and starts of the
iterations. The attack under test is :func:`~nbsrc.audits.power_methods.iteration.literal_pga`,
equation (15) with derivatives by autograd; it shares no code with the power method.
"""
