"""Whole numbers only: sizes, shapes, their exact counts, and shapes of equal budget. Imports no torch."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
