"""Checks of what Liang & Huang (2021) say on norms, Lipschitz constants and robustness."""
