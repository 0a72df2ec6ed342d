"""The compiled inner loops (`registry/kernels`), where this package was built with a compiler."""

try:
    from registry import _kernels as kernels
except ImportError:  # built without a compiler
    kernels = None  # type: ignore[assignment]

__all__ = ["COMPILED", "kernels"]

COMPILED = kernels is not None
