"""The folder of a run: what was asked for, with which versions, the log, checkpoints, samples."""

from __future__ import annotations

import json
import platform
import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from vidtrans.atomic_write import whole_file
from vidtrans.errors import ModelError, OutputError, UsageError
from vidtrans_training.checkpoint import checkpoints
from vidtrans_training.settings import TrainingSettings, parse_settings

FORMAT = 1
_PACKAGES = ("vidtrans", "torch", "numpy", "opencv-python", "av", "scipy", "safetensors")


@dataclass(frozen=True)
class RunFolder:
    """Where a run keeps its files.

    Args:
        root: ``run.json`` (settings, versions, command), ``log.jsonl``, ``checkpoints/``,
            ``samples/``, ``tensorboard/`` and ``bundles/`` lie in it.
    """

    root: Path

    @property
    def facts(self) -> Path:
        return self.root / "run.json"

    @property
    def log(self) -> Path:
        return self.root / "log.jsonl"

    @property
    def checkpoints(self) -> Path:
        return self.root / "checkpoints"

    @property
    def samples(self) -> Path:
        return self.root / "samples"

    @property
    def tensorboard(self) -> Path:
        return self.root / "tensorboard"

    @property
    def bundles(self) -> Path:
        return self.root / "bundles"

    def check_free(self) -> None:
        """That a new run may begin in the folder.

        Raises:
            UsageError: There is a run in it already.
        """
        if self.facts.exists() or checkpoints(self.checkpoints):
            raise UsageError(
                "there is a run in this folder already.",
                where=self.root,
                hint="Give --resume to go on with it, or another --out.",
            )

    def begin(self, settings: TrainingSettings) -> None:
        """Makes the folder of a new run.

        Raises:
            UsageError: There is a run in it already.
            OutputError: It cannot be written.
        """
        self.check_free()
        try:
            self.root.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(
                f"the run's folder cannot be made: {error.strerror or error}.", where=self.root
            ) from error
        facts = {
            "format": FORMAT,
            "system": settings.system,
            "settings": settings_json(settings),
            "versions": versions(),
            "command": sys.argv,
        }
        with whole_file(self.facts, what="the run's settings") as temporary:
            temporary.write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")

    def check(self, settings: TrainingSettings) -> None:
        """That the run in the folder is one of these settings' system and seed.

        Raises:
            UsageError: It is of another one.
            ModelError: There is no run, or its facts cannot be read.
        """
        before = self.read()
        if before.system != settings.system:
            raise UsageError(
                f"the run in this folder is one of {before.system}, not of {settings.system}.",
                where=self.root,
            )
        if before.run.seed != settings.run.seed:
            raise UsageError(
                f"the run in this folder has the seed {before.run.seed}, the settings have"
                f" {settings.run.seed}: its data would come in another order.",
                where=self.root,
            )

    def read(self) -> TrainingSettings:
        """The settings of the run in the folder.

        Raises:
            ModelError: There is no run, or it was made by a newer vidtrans.
        """
        try:
            facts = json.loads(self.facts.read_text(encoding="utf-8"))
            found, content = facts["format"], facts["settings"]
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise ModelError(
                f"is no folder of a training run: run.json is missing or unreadable ({error}).",
                where=self.root,
            ) from error
        if found != FORMAT:
            raise ModelError(
                f"is a run of format {found}, and this vidtrans reads format {FORMAT}.",
                where=self.facts,
                hint="A newer vidtrans reads it.",
            )
        return parse_settings(content)


def settings_json(settings: TrainingSettings) -> dict[str, Any]:
    """Settings as JSON, as `parse_settings` reads them back; paths are absolute."""
    whole = settings.model_dump(mode="json", exclude={"options"}, exclude_none=True)
    return whole | {"options": settings.options.model_dump(mode="json", exclude_none=True)}


def versions() -> dict[str, str]:
    """What the run is made with."""
    found = {"python": platform.python_version(), "system": platform.platform()}
    for package in _PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found
