"""Training pix2pix, pix2pixHD, vid2vid and the street network."""

from vidtrans_training.published import Run, import_run

__all__ = ["Run", "import_run"]
