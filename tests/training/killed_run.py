"""A run that is killed without warning: ``killed_run.py SETTINGS.json OUT STEP``, by SIGKILL in the
step after STEP + 1."""

import json
import os
import signal
import sys
from pathlib import Path

from vidtrans_training import loop
from vidtrans_training.settings import parse_settings

settings, out, last = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
learn = loop.Trainer._learn


def learn_or_die(self, clips):
    if self.step == last + 1:
        os.kill(os.getpid(), signal.SIGKILL)
    learn(self, clips)


loop.Trainer._learn = learn_or_die
loop.train(parse_settings(json.loads(settings.read_text())), out)
