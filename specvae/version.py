"""The version of this package, as models, reports and pages record it."""

__all__ = ["__version__"]

__version__ = "0.1.0"
