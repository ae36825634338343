"""The package's version, apart from its face: rooms below may name it without the face's table."""

__all__ = ["__version__"]

__version__ = "0.2.0"
