"""Interaction during training: a table that grows with the steps, and training that ends in the same bits."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
