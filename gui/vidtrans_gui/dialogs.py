"""Questions and file dialogs that never stop the event loop: the answer comes as a call."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFileDialog, QMessageBox, QWidget

from vidtrans_gui.preferences import Preferences


def choose_file(
    parent: QWidget,
    preferences: Preferences,
    purpose: str,
    title: str,
    kinds: str,
    chosen: Callable[[str], None],
    *,
    mode: QFileDialog.FileMode = QFileDialog.FileMode.ExistingFile,
    save_as: str = "",
) -> QFileDialog:
    """A file dialog that opens in the folder of last time for ``purpose``; ``chosen`` gets the
    path.

    ``save_as``: the name to begin with, for a file that will be written.
    """
    dialog = QFileDialog(parent, title, preferences.folder(purpose), kinds)
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    if save_as:
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setFileMode(QFileDialog.FileMode.AnyFile)
        dialog.selectFile(save_as)
    else:
        dialog.setFileMode(mode)

    def selected(path: str) -> None:
        preferences.remember_folder(purpose, path)
        chosen(path)

    dialog.fileSelected.connect(selected)
    dialog.open()
    return dialog


def ask(
    parent: QWidget,
    title: str,
    text: str,
    answers: Mapping[str, Callable[[], None] | None],
    *,
    icon: QMessageBox.Icon = QMessageBox.Icon.Warning,
) -> QMessageBox:
    """A question with one button for each of ``answers``; the first is the default, the last is
    what Escape means."""
    box = QMessageBox(icon, title, text, QMessageBox.StandardButton.NoButton, parent)
    box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    box.setTextFormat(Qt.TextFormat.PlainText)
    calls = {}
    for place, (name, call) in enumerate(answers.items()):
        first, last = place == 0, place == len(answers) - 1
        role = (
            QMessageBox.ButtonRole.AcceptRole
            if first
            else QMessageBox.ButtonRole.RejectRole
            if last
            else QMessageBox.ButtonRole.DestructiveRole
        )
        button = box.addButton(name, role)
        calls[button] = call
        if first:
            box.setDefaultButton(button)
        if last:
            box.setEscapeButton(button)

    def clicked(button: QWidget) -> None:
        call = calls.get(button)  # type: ignore[call-overload]
        if call is not None:
            call()

    box.buttonClicked.connect(clicked)
    box.open()
    return box
