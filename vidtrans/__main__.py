"""``python -m vidtrans``: the command, where the script is not on the path."""

import sys

from vidtrans.cli import main

sys.exit(main())
