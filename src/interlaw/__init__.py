"""interlaw: measure neural interaction, sweep equal-budget shapes, fit the law, choose a shape.

The public names stand in `__init__.pyi`; each is loaded on first use, so that importing the package costs nothing.
"""

import lazy_loader

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
__all__ += ["__version__"]
