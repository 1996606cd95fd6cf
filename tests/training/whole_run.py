"""A run as a process of its own: ``whole_run.py SETTINGS.json OUT``."""

import json
import sys
from pathlib import Path

from vidtrans_training.loop import train
from vidtrans_training.settings import parse_settings

if __name__ == "__main__":
    settings = parse_settings(json.loads(Path(sys.argv[1]).read_text()))
    train(settings, Path(sys.argv[2]))
