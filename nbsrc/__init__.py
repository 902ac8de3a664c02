"""Executable companion to four papers on adversarial robustness and network derivatives.

Importing the package loads nothing heavy; import the module you need, for example
``from nbsrc.conv import conv_norm``.
"""

__version__ = "0.1.0"
