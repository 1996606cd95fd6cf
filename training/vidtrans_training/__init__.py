"""Training pix2pix, pix2pixHD, vid2vid and the street network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vidtrans_training.published import Run, import_run

__all__ = ["Run", "import_run"]


def __getattr__(name: str) -> Any:
    """The names above, on first use: the command line's help needs no PyTorch."""
    if name in __all__:
        from vidtrans_training import published

        return getattr(published, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
