"""The build: what depends on what, running notebooks, and making the book.

Nothing here imports torch, numpy or Jupyter at module level, so that a build with nothing to do
stays fast.
"""
