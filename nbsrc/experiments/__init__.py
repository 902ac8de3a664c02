"""Experiments: training grids in YAML files, one JSON per run, and recorded results.

An experiment file names data, networks, regularisers and measures, and its tiers change sizes
only. ``python -m nbsrc train`` runs what is missing; ``load_or_train`` gives the results to a
notebook, ``load_recorded`` those that were recorded once and committed.
"""

from nbsrc.experiments.collected import collect as collect
from nbsrc.experiments.command import main as main
from nbsrc.experiments.load import load_or_train as load_or_train
from nbsrc.experiments.load import load_recorded as load_recorded
from nbsrc.experiments.plan import ExperimentPlan as ExperimentPlan
from nbsrc.experiments.plan import read_plan as read_plan
