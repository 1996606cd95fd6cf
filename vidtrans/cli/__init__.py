"""The command ``vidtrans``. Nothing heavy is imported before a command runs, so that help and
mistakes come at once."""

from vidtrans.cli.main import main

__all__ = ["main"]
