"""Neural interaction of any network: the energies of its AGOP, without bias, with intervals, against chance."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
