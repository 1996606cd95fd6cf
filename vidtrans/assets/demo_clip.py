"""The clip that comes with vidtrans: a street of `vidtrans-world` that the embedded model never
saw."""

from __future__ import annotations

from pathlib import Path

DEMO_SEED = 11
"""The seed for the styles of its instances, with a model that has styles: without a seed all
instances of a class have the same style."""

_ASSETS = Path(__file__).parent


def demo_labels() -> Path:
    """Cityscapes labelIds, lossless."""
    return _ASSETS / "demo_labels.mkv"


def demo_instances() -> Path:
    """Its instance maps, 16 bits."""
    return _ASSETS / "demo_instances.mkv"
