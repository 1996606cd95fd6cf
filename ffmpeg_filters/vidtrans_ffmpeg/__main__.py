"""``python -m vidtrans_ffmpeg``: the filter, where its script is not on the path."""

import sys

from vidtrans_ffmpeg.cli import main

sys.exit(main())
