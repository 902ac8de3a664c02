"""Audits of Guo, Chen, Chen & Zhang: gradient, Jacobian, curvature and cross-Lipschitz penalties.

A case is an :class:`~nbsrc.audits.connections.instances.Instance`: a point, its label, and the
affine map that the network is around it. An audit compares two quantities of a case, the printed
one and the truth found by an independent path.
"""
