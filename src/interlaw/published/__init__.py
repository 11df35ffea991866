"""Published language models: their shapes and scores as validated data, and what these say about the ratio."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
