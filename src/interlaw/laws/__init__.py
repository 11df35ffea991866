"""Laws of loss against depth and width, with their uncertainty. Needs NumPy and SciPy only."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
