"""Questions and file dialogs that do not block the event loop: the answer comes as a call."""

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
    """Open a file dialog.

    Args:
        parent: The dialog's parent.
        preferences: Remembers the folder for the next dialog with the same purpose.
        purpose: Which remembered folder the dialog opens in.
        title: The dialog's title.
        kinds: The filters of file types, as Qt writes them.
        chosen: Called with the chosen path.
        mode: Whether files or folders are chosen.
        save_as: The proposed name of a file to write; empty where one is opened.
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
    default: str = "",
) -> QMessageBox:
    """Open a question.

    Args:
        parent: The dialog's parent.
        title: The dialog's title.
        text: The question.
        answers: The text of each button and what it calls. Escape selects the last.
        icon: The dialog's icon.
        default: The button that Enter presses; empty for the first.
    """
    box = QMessageBox(icon, title, text, QMessageBox.StandardButton.NoButton, parent)
    box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    box.setTextFormat(Qt.TextFormat.PlainText)
    calls = {}
    for number, (name, call) in enumerate(answers.items()):
        first, last = number == 0, number == len(answers) - 1
        role = (
            QMessageBox.ButtonRole.AcceptRole
            if first
            else QMessageBox.ButtonRole.RejectRole
            if last
            else QMessageBox.ButtonRole.DestructiveRole
        )
        button = box.addButton(name, role)
        calls[button] = call
        if name == default or (first and not default):
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
