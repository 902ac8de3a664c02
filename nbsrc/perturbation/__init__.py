"""Minimal perturbations, loss curvature and input-space penalties, in closed form.

Source: Guo, Chen, Chen & Zhang, On Connections between Regularizations for Improving DNN
Robustness, TPAMI. Throughout, ``V`` is ``[..., n, K]``: one column per class, the transposed
Jacobian of the logits.
"""

from nbsrc.perturbation.bounds import Prop41Bounds as Prop41Bounds
from nbsrc.perturbation.bounds import cross_lipschitz_squared as cross_lipschitz_squared
from nbsrc.perturbation.bounds import gradient_hessian_constant as gradient_hessian_constant
from nbsrc.perturbation.bounds import prop41_bounds as prop41_bounds
from nbsrc.perturbation.coupling import critical_products as critical_products
from nbsrc.perturbation.exact import ExactPerturbation as ExactPerturbation
from nbsrc.perturbation.exact import exact_perturbation_norm as exact_perturbation_norm
from nbsrc.perturbation.exact import exact_worst_loss as exact_worst_loss
from nbsrc.perturbation.lemma31 import lemma31_bounds as lemma31_bounds
from nbsrc.perturbation.multiclass import (
    taylor_perturbation_from_logits as taylor_perturbation_from_logits,
)
from nbsrc.perturbation.multiclass import (
    taylor_perturbation_multiclass as taylor_perturbation_multiclass,
)
from nbsrc.perturbation.networks import local_piece as local_piece
from nbsrc.perturbation.networks import network_hessian_spectrum as network_hessian_spectrum
from nbsrc.perturbation.networks import network_penalties as network_penalties
from nbsrc.perturbation.networks import network_penalties_autograd as network_penalties_autograd
from nbsrc.perturbation.networks import network_perturbation as network_perturbation
from nbsrc.perturbation.penalties import Penalties as Penalties
from nbsrc.perturbation.penalties import binary_penalties as binary_penalties
from nbsrc.perturbation.penalties import cross_lipschitz_penalty as cross_lipschitz_penalty
from nbsrc.perturbation.penalties import jacobian_penalty as jacobian_penalty
from nbsrc.perturbation.penalties import penalty_values as penalty_values
from nbsrc.perturbation.quadratic import QuadraticSolution as QuadraticSolution
from nbsrc.perturbation.quadratic import minimal_quadratic as minimal_quadratic
from nbsrc.perturbation.softmax import Confidence as Confidence
from nbsrc.perturbation.softmax import confidence as confidence
from nbsrc.perturbation.softmax import loss_slack as loss_slack
from nbsrc.perturbation.spectrum import HessianSpectrum as HessianSpectrum
from nbsrc.perturbation.spectrum import loss_gradient as loss_gradient
from nbsrc.perturbation.spectrum import loss_hessian as loss_hessian
from nbsrc.perturbation.spectrum import loss_hessian_eigenvectors as loss_hessian_eigenvectors
from nbsrc.perturbation.spectrum import loss_hessian_spectrum as loss_hessian_spectrum
from nbsrc.perturbation.taylor import binary_margin as binary_margin
from nbsrc.perturbation.taylor import taylor_norm_from_margin as taylor_norm_from_margin
from nbsrc.perturbation.taylor import taylor_norm_typeset as taylor_norm_typeset
from nbsrc.perturbation.taylor import taylor_perturbation as taylor_perturbation
from nbsrc.perturbation.taylor import taylor_perturbation_norm as taylor_perturbation_norm
from nbsrc.perturbation.taylor import taylor_worst_loss as taylor_worst_loss
