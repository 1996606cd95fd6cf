"""The commands of the window: text, shortcut, icon and explanation of each."""

from __future__ import annotations

from dataclasses import dataclass


def QT_TRANSLATE_NOOP(context: str, text: str) -> str:
    """Mark a text for lupdate, which finds this function's name; it is translated when shown."""
    return text


@dataclass(frozen=True)
class Command:
    """One command of the window.

    Attributes:
        key: Its name in the program.
        menu: The menu that contains it.
        text: Its text in the menu, with mnemonic.
        shortcut: Its keyboard shortcut; empty for none.
        icon: The name of its icon in ``icons.py``; empty for none.
        tip: Its tooltip; empty for the text itself.
        checkable: Whether it is on or off.
        group: The group of exclusive commands that it belongs to; empty for none.
        needs_film: Whether it is disabled without a film.
        separator: Whether a separator precedes it in the menu.
    """

    key: str
    menu: str
    text: str
    shortcut: str = ""
    icon: str = ""
    tip: str = ""
    checkable: bool = False
    group: str = ""
    needs_film: bool = True
    separator: bool = False


def _c(
    key: str,
    menu: str,
    text: str,
    shortcut: str = "",
    icon: str = "",
    tip: str = "",
    **flags: object,
) -> Command:
    return Command(key, menu, text, shortcut, icon, tip, **flags)  # type: ignore[arg-type]


COMMANDS: tuple[Command, ...] = (
    _c(
        "new",
        "File",
        QT_TRANSLATE_NOOP("Actions", "&New project"),
        "Ctrl+N",
        "new",
        needs_film=False,
    ),
    _c(
        "open",
        "File",
        QT_TRANSLATE_NOOP("Actions", "&Open…"),
        "Ctrl+O",
        "open",
        QT_TRANSLATE_NOOP("Actions", "Open a label film or a project"),
        needs_film=False,
    ),
    _c(
        "open-folder",
        "File",
        QT_TRANSLATE_NOOP("Actions", "Open &folder of images…"),
        "Ctrl+Shift+O",
        needs_film=False,
    ),
    _c(
        "demo",
        "File",
        QT_TRANSLATE_NOOP("Actions", "Open the &demo"),
        "",
        "film",
        QT_TRANSLATE_NOOP("Actions", "A short label film that comes with vidtrans"),
        needs_film=False,
    ),
    _c(
        "instances",
        "File",
        QT_TRANSLATE_NOOP("Actions", "Add &instance maps…"),
        "",
        "",
        QT_TRANSLATE_NOOP("Actions", "A second film or folder that tells single instances apart"),
    ),
    _c(
        "save",
        "File",
        QT_TRANSLATE_NOOP("Actions", "&Save"),
        "Ctrl+S",
        "save",
        QT_TRANSLATE_NOOP("Actions", "Save the project"),
        separator=True,
    ),
    _c("save-as", "File", QT_TRANSLATE_NOOP("Actions", "Save &as…"), "Ctrl+Shift+S"),
    _c(
        "export",
        "File",
        QT_TRANSLATE_NOOP("Actions", "&Export…"),
        "Ctrl+E",
        "export",
        QT_TRANSLATE_NOOP("Actions", "Write the painted film to a file"),
        separator=True,
    ),
    _c(
        "still",
        "File",
        QT_TRANSLATE_NOOP("Actions", "Save this fra&me…"),
        "Ctrl+Shift+E",
        "picture",
        QT_TRANSLATE_NOOP("Actions", "Save the frame that is shown as a picture"),
    ),
    _c(
        "copy-command",
        "File",
        QT_TRANSLATE_NOOP("Actions", "&Copy command line"),
        "Ctrl+Shift+C",
        "copy",
        QT_TRANSLATE_NOOP("Actions", "The vidtrans command that exports this film"),
    ),
    _c(
        "quit",
        "File",
        QT_TRANSLATE_NOOP("Actions", "&Quit"),
        "Ctrl+Q",
        needs_film=False,
        separator=True,
    ),
    _c("undo", "Edit", QT_TRANSLATE_NOOP("Actions", "&Undo"), "Ctrl+Z", "undo", needs_film=False),
    _c(
        "redo",
        "Edit",
        QT_TRANSLATE_NOOP("Actions", "Re&do"),
        "Ctrl+Shift+Z",
        "redo",
        needs_film=False,
    ),
    _c(
        "relabel",
        "Edit",
        QT_TRANSLATE_NOOP("Actions", "&Relabel…"),
        "R",
        "relabel",
        QT_TRANSLATE_NOOP("Actions", "Give the selected class or instance another label"),
        separator=True,
    ),
    _c(
        "delete",
        "Edit",
        QT_TRANSLATE_NOOP("Actions", "&Delete instance"),
        "Del",
        "delete",
        QT_TRANSLATE_NOOP("Actions", "Fill the selected instance with what surrounds it"),
    ),
    _c(
        "style",
        "Edit",
        QT_TRANSLATE_NOOP("Actions", "&Style…"),
        "T",
        "style",
        QT_TRANSLATE_NOOP("Actions", "Choose how the selected class or instance is painted"),
    ),
    _c(
        "first-frame",
        "Edit",
        QT_TRANSLATE_NOOP("Actions", "&First-frame picture…"),
        "P",
        "picture",
        QT_TRANSLATE_NOOP("Actions", "Show a picture of yours as this frame and go on from it"),
    ),
    _c(
        "reset",
        "Edit",
        QT_TRANSLATE_NOOP("Actions", "Reset &history here"),
        "Ctrl+R",
        "reset",
        QT_TRANSLATE_NOOP(
            "Actions", "Paint this frame without the frames before it, as after a cut"
        ),
    ),
    _c(
        "remove-edit",
        "Edit",
        QT_TRANSLATE_NOOP("Actions", "Remo&ve selected edit"),
        "Ctrl+Backspace",
        "cancel",
        separator=True,
    ),
    _c("deselect", "Edit", QT_TRANSLATE_NOOP("Actions", "D&eselect"), "Esc"),
    _c("play", "Play", QT_TRANSLATE_NOOP("Actions", "&Play or pause"), "Space", "play"),
    _c("pause", "Play", QT_TRANSLATE_NOOP("Actions", "P&ause"), "K", "pause"),
    _c("forward", "Play", QT_TRANSLATE_NOOP("Actions", "Play &forward, faster"), "L"),
    _c("backward", "Play", QT_TRANSLATE_NOOP("Actions", "Play &backward, faster"), "J"),
    _c(
        "next", "Play", QT_TRANSLATE_NOOP("Actions", "&Next frame"), "Right", "next", separator=True
    ),
    _c("previous", "Play", QT_TRANSLATE_NOOP("Actions", "P&revious frame"), "Left", "previous"),
    _c("next-second", "Play", QT_TRANSLATE_NOOP("Actions", "A &second forward"), "Shift+Right"),
    _c("previous-second", "Play", QT_TRANSLATE_NOOP("Actions", "A second bac&k"), "Shift+Left"),
    _c("next-mark", "Play", QT_TRANSLATE_NOOP("Actions", "Next &cut or edit"), "Down"),
    _c("previous-mark", "Play", QT_TRANSLATE_NOOP("Actions", "Previous cut or e&dit"), "Up"),
    _c("first", "Play", QT_TRANSLATE_NOOP("Actions", "First fra&me"), "Home", "first"),
    _c("last", "Play", QT_TRANSLATE_NOOP("Actions", "&Last frame"), "End", "last"),
    _c(
        "mark-in",
        "Play",
        QT_TRANSLATE_NOOP("Actions", "Set &in"),
        "I",
        "in",
        QT_TRANSLATE_NOOP("Actions", "The range begins with this frame"),
        separator=True,
    ),
    _c(
        "mark-out",
        "Play",
        QT_TRANSLATE_NOOP("Actions", "Set &out"),
        "O",
        "out",
        QT_TRANSLATE_NOOP("Actions", "The range ends with this frame"),
    ),
    _c("clear-range", "Play", QT_TRANSLATE_NOOP("Actions", "Clear in and ou&t"), "X"),
    _c(
        "loop",
        "Play",
        QT_TRANSLATE_NOOP("Actions", "Loop"),
        "Ctrl+L",
        "loop",
        QT_TRANSLATE_NOOP("Actions", "Play from in to out again and again"),
        checkable=True,
    ),
    _c(
        "paint-all",
        "Play",
        QT_TRANSLATE_NOOP("Actions", "Paint the film in the back&ground"),
        "Ctrl+B",
        "",
        QT_TRANSLATE_NOOP(
            "Actions", "Keep painting ahead of the playhead while nothing else is asked"
        ),
        checkable=True,
        separator=True,
    ),
    _c(
        "single",
        "View",
        QT_TRANSLATE_NOOP("Actions", "&Picture only"),
        "V",
        "single",
        checkable=True,
        group="compare",
    ),
    _c(
        "wipe",
        "View",
        QT_TRANSLATE_NOOP("Actions", "&Wipe"),
        "W",
        "wipe",
        QT_TRANSLATE_NOOP("Actions", "Labels left, picture right of a line that you drag"),
        checkable=True,
        group="compare",
    ),
    _c(
        "side",
        "View",
        QT_TRANSLATE_NOOP("Actions", "&Side by side"),
        "S",
        "side",
        checkable=True,
        group="compare",
    ),
    _c(
        "blink",
        "View",
        QT_TRANSLATE_NOOP("Actions", "&Blink"),
        "B",
        "blink",
        QT_TRANSLATE_NOOP("Actions", "Labels and picture in turn"),
        checkable=True,
        group="compare",
    ),
    _c(
        "fit",
        "View",
        QT_TRANSLATE_NOOP("Actions", "&Fit"),
        "F",
        "fit",
        QT_TRANSLATE_NOOP("Actions", "As large as the window allows"),
        separator=True,
    ),
    _c(
        "actual",
        "View",
        QT_TRANSLATE_NOOP("Actions", "&100 %"),
        "Z",
        "actual",
        QT_TRANSLATE_NOOP("Actions", "One picture pixel on one screen pixel"),
    ),
    _c("zoom-in", "View", QT_TRANSLATE_NOOP("Actions", "Zoom &in"), "Ctrl++", "zoom-in"),
    _c("zoom-out", "View", QT_TRANSLATE_NOOP("Actions", "Zoom &out"), "Ctrl+-", "zoom-out"),
    _c(
        "timeline-in",
        "View",
        QT_TRANSLATE_NOOP("Actions", "Stretch the timeline"),
        "+",
        "",
        separator=True,
    ),
    _c("timeline-out", "View", QT_TRANSLATE_NOOP("Actions", "Shrink the timeline"), "-"),
    _c("timeline-all", "View", QT_TRANSLATE_NOOP("Actions", "Whole film in the timeline"), "\\"),
    _c(
        "models",
        "Model",
        QT_TRANSLATE_NOOP("Actions", "&Models…"),
        "Ctrl+M",
        "model",
        QT_TRANSLATE_NOOP("Actions", "See, import and remove models"),
        needs_film=False,
    ),
    _c(
        "shortcuts",
        "Help",
        QT_TRANSLATE_NOOP("Actions", "&Keyboard shortcuts"),
        "F1",
        "help",
        needs_film=False,
    ),
    _c("about", "Help", QT_TRANSLATE_NOOP("Actions", "&About vidtrans"), "", needs_film=False),
)
MENUS = {
    "File": QT_TRANSLATE_NOOP("Actions", "&File"),
    "Edit": QT_TRANSLATE_NOOP("Actions", "&Edit"),
    "Play": QT_TRANSLATE_NOOP("Actions", "&Play"),
    "View": QT_TRANSLATE_NOOP("Actions", "&View"),
    "Model": QT_TRANSLATE_NOOP("Actions", "&Model"),
    "Help": QT_TRANSLATE_NOOP("Actions", "&Help"),
}
