"""Models as files: one-file bundles, and the published checkpoints in and out."""

from vidtrans.model.bundle import read_bundle, read_card, write_bundle
from vidtrans.model.card import Bundle, Card
from vidtrans.model.describe import describe, flop_per_frame
from vidtrans.model.export import write_folder
from vidtrans.model.library import (
    BundleEntry,
    find_bundle,
    list_bundles,
    model_digest,
    models_folder,
)
from vidtrans.model.networks import Networks, build
from vidtrans.model.published import read_folder

__all__ = [
    "Bundle",
    "BundleEntry",
    "Card",
    "Networks",
    "build",
    "describe",
    "find_bundle",
    "flop_per_frame",
    "list_bundles",
    "model_digest",
    "models_folder",
    "read_bundle",
    "read_card",
    "read_folder",
    "write_bundle",
    "write_folder",
]
