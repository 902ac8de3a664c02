r"""Operator norms between lp spaces, the power method, and projected gradient ascent.

Source: Roth, Kilcher & Hofmann, Adversarial Training is a Form of Data-dependent Operator Norm
Regularization, NeurIPS 2020. In ``(p, q)`` the first order belongs to the domain (inputs), the
second to the co-domain (outputs).
"""

from nbsrc.operator_norm.attack import Attack as Attack
from nbsrc.operator_norm.attack import pga as pga
from nbsrc.operator_norm.duality import dual_vector as dual_vector
from nbsrc.operator_norm.duality import holder_conjugate as holder_conjugate
from nbsrc.operator_norm.duality import norm_gradient as norm_gradient
from nbsrc.operator_norm.exact import exact_operator_norm as exact_operator_norm
from nbsrc.operator_norm.faces import Face as Face
from nbsrc.operator_norm.faces import dual_face as dual_face
from nbsrc.operator_norm.limits import exact_step as exact_step
from nbsrc.operator_norm.limits import limit_projection as limit_projection
from nbsrc.operator_norm.losses import AttackLoss as AttackLoss
from nbsrc.operator_norm.losses import CrossEntropy as CrossEntropy
from nbsrc.operator_norm.losses import LogitNorm as LogitNorm
from nbsrc.operator_norm.maps import LinearMap as LinearMap
from nbsrc.operator_norm.maps import matrix_map as matrix_map
from nbsrc.operator_norm.maps import network_map as network_map
from nbsrc.operator_norm.norms import operator_norm as operator_norm
from nbsrc.operator_norm.power import PowerIteration as PowerIteration
from nbsrc.operator_norm.power import power_method as power_method
from nbsrc.operator_norm.projections import project_ball as project_ball
from nbsrc.operator_norm.projections import project_sphere as project_sphere
from nbsrc.operator_norm.starts import uniform_in_ball as uniform_in_ball
