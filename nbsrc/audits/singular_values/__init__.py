"""Audits of Wen, Li & Jia: singular values of layers, variances of norms, margins and confidence.

A case is a matrix, a chain of matrices with masks, a vector of scores with its label, or a sample
of them. Every audit compares the printed statement with a truth found by another path.
"""
