"""The paper's experiments, on interlaw's public names alone, and how near each comes to the published figures."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
