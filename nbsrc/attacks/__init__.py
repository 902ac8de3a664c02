"""Attacks on trained networks, and robust accuracy with everything that a number of it needs.

Gradient attacks are those of :mod:`nbsrc.operator_norm`; DeepFool and Carlini & Wagner come from
foolbox, AutoAttack from pyautoattack (the extra ``attacks``). No attack proves robustness: the
accuracy under attack is an upper estimate of the robust accuracy.
"""

from nbsrc.attacks.accuracy import RobustAccuracy as RobustAccuracy
from nbsrc.attacks.accuracy import accuracy_interval as accuracy_interval
from nbsrc.attacks.gradient import AttackResult as AttackResult
from nbsrc.attacks.gradient import fgsm as fgsm
from nbsrc.attacks.gradient import pgd as pgd
from nbsrc.attacks.minimal import MinimalPerturbations as MinimalPerturbations
from nbsrc.attacks.minimal import carlini_wagner as carlini_wagner
from nbsrc.attacks.minimal import deepfool as deepfool
from nbsrc.attacks.standard import auto_attack as auto_attack
