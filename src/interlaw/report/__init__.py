"""A run as figures and as one self-contained page; the chart of every result."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
