"""What decides the pictures of a run, in words: a run is only resumed with the same."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import torch

import vidtrans
from vidtrans.media.fingerprint import fingerprint
from vidtrans.model import model_digest
from vidtrans.pipeline.options import setting_fields, spelled_options
from vidtrans.pipeline.settings import ConvertSettings, format_size
from vidtrans.pipeline.setup import Render

_WITHOUT_INFLUENCE = ("resume", "overwrite")
_WORDED_WITH_ANOTHER = ("fit",)  # counts only where there is a size


def facts_of(settings: ConvertSettings, render: Render) -> dict[str, str]:
    """The facts of a run: every setting, and what is known of the files that settings name.

    Paths count by what they hold. A setting that is not worded here counts by its options, so that
    none is forgotten.
    """
    worded = _worded(settings, render)
    plain = {
        field.name: "default"
        for field in setting_fields(type(settings))
        if field.name not in (*worded, *_WITHOUT_INFLUENCE, *_WORDED_WITH_ANOTHER)
    }
    for field, spelled in spelled_options(settings):
        if field.name in plain:
            plain[field.name] = " ".join(name if text is None else text for name, text in spelled)
    facts = {
        "vidtrans": vidtrans.__version__,
        "torch": str(torch.__version__),
        "input": f"{Path(settings.input).name} ({format_size(render.info.size_hw)},"
        f" content {fingerprint(settings.input)})",
    }
    named = {"size" if name == "size_hw" else name: text for name, text in (worded | plain).items()}
    return facts | {name.replace("_", " "): text for name, text in named.items()}


def _worded(settings: ConvertSettings, render: Render) -> dict[str, str]:
    """The settings whose text is not all that they mean, by field."""
    asked, painter = settings.render, render.painter
    return {
        "model": f"{Path(asked.model).name} ({model_digest(asked.model)})",
        "device": painter.model.device.type,
        "precision": painter.model.precision,
        "labels": (
            "pictures"
            if render.detection is None
            else f"{render.detection} ({_digest(repr(render.label_reader.scheme))})"
        ),
        "instances": (
            "none"
            if asked.instances is None
            else f"{Path(asked.instances).name} (content {fingerprint(asked.instances)})"
        ),
        "size_hw": (
            "the input's" if asked.size_hw is None else f"{format_size(asked.size_hw)} {asked.fit}"
        ),
        "layer": asked.layer,
        "scene_cuts": (
            asked.scene_cuts
            if isinstance(asked.scene_cuts, str)
            else ", ".join(map(str, asked.scene_cuts))
        ),
        "first_frame": (
            "none" if render.first_frames is None else _digest(render.first_frames.tobytes())
        ),
        "edits": _edits(render),
        "seed": "none" if asked.seed is None else str(asked.seed),
        "encoder_options": (
            " ".join(f"{k}={v}" for k, v in sorted(settings.encoder_options.items())) or "none"
        ),
        "rate": str(asked.rate or render.info.rate),
    }


def _edits(render: Render) -> str:
    """The edits, and what their pictures show."""
    if not render.settings.edits:
        return "none"
    shown = b"".join(picture.tobytes() for picture in render.painter.reference_frames.values())
    listed: list[dict[str, Any]] = [
        entry | ({"picture": ""} if "picture" in entry else {})
        for entry in render.settings.edits.to_json()
    ]
    return f"{len(listed)} ({_digest(repr(listed).encode() + shown)})"


def _digest(content: str | bytes) -> str:
    data = content.encode() if isinstance(content, str) else content
    return hashlib.blake2b(data, digest_size=6).hexdigest()
