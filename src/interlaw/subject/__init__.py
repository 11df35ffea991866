"""What is measured: a model by any of its names, and the inputs that it reads; the same for every front end."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
