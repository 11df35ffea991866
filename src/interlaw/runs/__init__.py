"""A trial is a folder; a run is a folder of trials; everything in it appears whole or not at all."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
