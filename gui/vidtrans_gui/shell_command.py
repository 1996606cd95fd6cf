"""The ``vidtrans convert`` command that repeats an export in a shell."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

from vidtrans.labels.edit import RelabelClass
from vidtrans.pipeline.settings import ConvertSettings

_OPTIONS = {
    "model": "--model",
    "labels": "--labels",
    "instances": "--instances",
    "device": "--device",
    "precision": "--precision",
    "fit": "--fit",
    "layer": "--layer",
    "rate": "--rate",
    "codec": "--codec",
    "pixel_format": "--pixel-format",
    "seed": "--seed",
    "snapshot_every": "--snapshot-every",
}
_FLAGS = {"resume": "--resume", "overwrite": "--overwrite"}


def command_line(settings: ConvertSettings, edits_file: str | Path | None = None) -> str:
    """The ``vidtrans convert`` command that does the same, quoted for a POSIX shell.

    ``edits_file``: where the edits of ``settings`` are saved, for ``--edits``; without it they
    stand in the command itself.
    """
    defaults = {name: info.default for name, info in ConvertSettings.model_fields.items()}
    words: list[str] = []
    for name, option in _OPTIONS.items():
        value = getattr(settings, name)
        if value != defaults[name]:
            words += [option, str(value)]
    if settings.size_hw is not None:
        words += ["--size", f"{settings.size_hw[1]}x{settings.size_hw[0]}"]
    if settings.scene_cuts != "auto":
        cuts = settings.scene_cuts
        words += ["--scene-cuts", cuts if isinstance(cuts, str) else ",".join(map(str, cuts))]
    for picture in settings.first_frame:
        words += ["--first-frame", picture]
    words += _edit_words(settings, edits_file)
    for key, option_value in settings.encoder_options.items():
        words += ["--encoder-option", f"{key}={option_value}"]
    words += [option for name, option in _FLAGS.items() if getattr(settings, name)]
    places = [settings.input, settings.output]
    if any(place.startswith("-") for place in places):
        words.append("--")
    return shlex.join(["vidtrans", "convert", *words, *places])


def _edit_words(settings: ConvertSettings, edits_file: str | Path | None) -> list[str]:
    edits = settings.edits.edits
    if not edits:
        return []
    if edits_file is not None:
        return ["--edits", str(edits_file)]
    if all(
        isinstance(edit, RelabelClass) and not set("=@") & set(edit.source + edit.target)
        for edit in edits
    ):
        relabellings = [edit for edit in edits if isinstance(edit, RelabelClass)]
        return [word for edit in relabellings for word in ("--relabel", _relabel_word(edit))]
    return ["--edits", json.dumps(settings.edits.to_json(), ensure_ascii=False)]


def _relabel_word(edit: RelabelClass) -> str:
    if edit.start == 0 and edit.end is None:
        return f"{edit.source}={edit.target}"
    return f"{edit.source}={edit.target}@{edit.start}:{'' if edit.end is None else edit.end}"
