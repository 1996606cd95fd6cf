"""The command ``vidtrans``, also as ``python -m vidtrans``."""

from __future__ import annotations

import sys
from collections.abc import Callable

from vidtrans.startup import start


def main() -> int:
    """Run the command; its exit code."""

    def load() -> Callable[[], int]:
        from vidtrans.cli import main as command

        return command

    return start("vidtrans", load)


if __name__ == "__main__":
    sys.exit(main())
