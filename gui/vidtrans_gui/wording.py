"""Texts and colours of edits, layers, settings and amounts."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QCoreApplication

from vidtrans.errors import VidtransError, worded
from vidtrans.labels.edit import (
    DeleteInstance,
    Edit,
    FirstFrame,
    RelabelClass,
    RelabelInstance,
    ResetAt,
    StyleClass,
    StyleInstance,
)
from vidtrans.model.options import IMPORT_OPTIONS
from vidtrans.preview import PREVIEW_LAYERS, PreviewLayer
from vidtrans_gui.style_names import StyleNames

translate = QCoreApplication.translate
RELABEL, DELETE, STYLE, PICTURE, RESET = "#6f9fd8", "#cf7f86", "#a98bd0", "#6fb39a", "#d9a441"


_INSTANCES = 1000
"""Instances of a class are numbered from 1000 times its id on, in maps of Cityscapes' kind."""


def describe(edit: Edit, styles: StyleNames | None = None) -> str:
    """An edit in one line, for the list of edits, the timeline and the undo menu.

    Args:
        edit: The edit.
        styles: The names of the model's styles; None leaves them to their numbers.
    """
    named = styles or StyleNames()
    match edit:
        case RelabelClass():
            return f"{edit.source} → {edit.target}"
        case RelabelInstance():
            return translate("Wording", "Instance {0} → {1}").format(edit.instance, edit.target)
        case DeleteInstance():
            return translate("Wording", "Delete instance {0}").format(edit.instance)
        case StyleClass():
            text = translate("Wording", "{0}: style {1}").format(edit.name, edit.style)
            return _with_name(text, named.name(edit.name, edit.style))
        case StyleInstance():
            text = translate("Wording", "Instance {0}: style {1}").format(edit.instance, edit.style)
            return _with_name(text, named.name(str(edit.instance // _INSTANCES), edit.style))
        case FirstFrame():
            return translate("Wording", "Picture {0}").format(Path(edit.picture).name)
        case ResetAt():
            return translate("Wording", "Reset")


def _with_name(text: str, name: str) -> str:
    return f"{text} ({name})" if name else text


def target(what: str | int) -> str:
    """The text for a class, given by its name, or an instance, given by its id."""
    return what if isinstance(what, str) else translate("Wording", "instance {0}").format(what)


def colour_of(edit: Edit) -> str:
    """The colour of an edit in the timeline, ``#rrggbb``."""
    match edit:
        case RelabelClass() | RelabelInstance():
            return RELABEL
        case DeleteInstance():
            return DELETE
        case StyleClass() | StyleInstance():
            return STYLE
        case FirstFrame():
            return PICTURE
        case ResetAt():
            return RESET


def layer_name(layer: PreviewLayer) -> str:
    """The name of a layer."""
    return {
        "final": translate("Wording", "Result"),
        "raw": translate("Wording", "Painted anew"),
        "warped": translate("Wording", "Warped"),
        "flow": translate("Wording", "Flow"),
        "occlusion": translate("Wording", "Occlusion"),
        "foreground": translate("Wording", "Foreground"),
        "labels": translate("Wording", "Labels"),
    }[layer]


def layer_tip(layer: PreviewLayer) -> str:
    """The tooltip of a layer."""
    return {
        "final": translate("Wording", "The finished picture"),
        "raw": translate("Wording", "What the model paints without the picture before"),
        "warped": translate("Wording", "The picture before, moved along the flow"),
        "flow": translate("Wording", "Where every pixel came from, as a colour wheel"),
        "occlusion": translate(
            "Wording", "White: painted anew. Black: carried over from the picture before"
        ),
        "foreground": translate("Wording", "Cars and people, where the model paints them apart"),
        "labels": translate("Wording", "The label map in its scheme's colours, edits included"),
    }[layer]


def setting_words(setting: str, value: str | None = None) -> str:
    """A setting of the engine as the window calls its control.

    Args:
        setting: The field's name in the settings.
        value: The value that a remedy suggests; None where it suggests none.
    """
    film = translate("Wording", "{0} (panel Film)")
    controls = {
        "labels": film.format(translate("FilmPanel", "Labels")),
        "instances": film.format(translate("FilmPanel", "Instances")),
        "size_hw": film.format(translate("FilmPanel", "Size")),
        "scene_cuts": film.format(translate("FilmPanel", "Cuts")),
        "model": translate("Wording", "Model"),
        "device": translate("Wording", "Device"),
        "precision": translate("Wording", "Precision"),
        "first_frame": translate("Wording", "First-frame picture"),
        "layer": translate("Wording", "Layer"),
        "codec": translate("Wording", "Encoder"),
        "pixel_format": translate("Wording", "Pixel format"),
        "start": translate("Wording", "“from” of the range"),
        "end": translate("Wording", "“up to” of the range"),
        "allow_gaps": translate("Wording", "“Go on over the gaps”"),
        "even_sides": translate("Wording", "“even sides”"),
        "audio_codec": translate("Wording", "Sound"),
        "max_pixels": translate("Wording", "the command line's leave to paint large pictures"),
        "stream": translate("Wording", "the command line's choice of a video stream"),
        "skip_damaged": film.format(translate("FilmPanel", "Damaged frames")),
        "allow_protocols": translate("Wording", "the command line's allowed protocols"),
        "overwrite": translate("Wording", "“replace what is there”"),
        "resume": translate("Wording", "“go on where an interrupted export stopped”"),
    }
    if setting == "which_epoch":  # the window imports the epoch "latest"
        return translate("Wording", "the command vidtrans models import")
    if setting in IMPORT_OPTIONS:
        text = translate("Wording", "a line “{0}: …” of opt.txt in the folder")
        return text.format(setting)
    control = controls.get(setting, setting.replace("_", " "))
    return control if value is None else f"{control} “{value}”"


def sentence(error: Exception) -> str:
    """An error as the window shows it."""
    return error.sentence(setting_words) if isinstance(error, VidtransError) else str(error)


def remark(text: str) -> str:
    """A note of the engine as the window shows it."""
    return worded(text, setting_words)


def layers() -> tuple[PreviewLayer, ...]:
    """The layers in the order of menu and box."""
    return PREVIEW_LAYERS


def amount(count: float) -> str:
    """A number of bytes as text, such as 812 MB or 1.4 GB."""
    for unit in ("B", "kB", "MB"):
        if count < 999.5:
            return f"{count:.0f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"


def time_left(seconds: float | None) -> str:
    """A remaining time as text, such as ``about 4 min``; empty for None."""
    if seconds is None:
        return ""
    if seconds < 1.5:
        return translate("Wording", "about a second")
    if seconds < 90:
        return translate("Wording", "about {0} s").format(round(seconds))
    if seconds < 5400:
        return translate("Wording", "about {0} min").format(round(seconds / 60))
    return translate("Wording", "about {0:.1f} h").format(seconds / 3600)
