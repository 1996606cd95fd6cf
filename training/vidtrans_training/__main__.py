"""``python -m vidtrans_training`` is `vidtrans-train`."""

from vidtrans_training.cli import main

main()
