"""The project of the window: an immutable value that undoable commands replace."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QUndoCommand, QUndoStack

from vidtrans.labels.edit import EditList
from vidtrans_gui.project import Project


class ChangeProject(QUndoCommand):
    """A step of the undo stack: the project before and after.

    Successive steps with the same non-empty ``merge`` text, such as those of one spin box, are
    merged into one.
    """

    def __init__(self, document: Document, text: str, after: Project, merge: str = "") -> None:
        super().__init__(text)
        self._document, self._before, self._after, self._merge = (
            document,
            document.project,
            after,
            merge,
        )

    def redo(self) -> None:
        self._document._set(self._after)

    def undo(self) -> None:
        self._document._set(self._before)

    def id(self) -> int:
        return 1 if self._merge else -1

    def mergeWith(self, other: QUndoCommand) -> bool:
        if not isinstance(other, ChangeProject) or other._merge != self._merge:
            return False
        self._after = other._after
        return True


class Document(QObject):
    """The current project with its file and undo stack.

    Signals:
        changed(before, after): The project has a new value.
        reset(): Another project was loaded.
        title_changed(): Name, file or unsaved state are different.
    """

    changed = Signal(object, object)
    reset = Signal()
    title_changed = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.undo = QUndoStack(self)
        self.undo.setUndoLimit(500)
        self.undo.cleanChanged.connect(self._clean_changed)
        self._project = Project()
        self._path: Path | None = None
        self._unsaved = False

    @property
    def project(self) -> Project:
        """The current value."""
        return self._project

    @property
    def path(self) -> Path | None:
        """The project's file; None if it was never saved."""
        return self._path

    @property
    def modified(self) -> bool:
        """Whether there are unsaved changes."""
        return self._unsaved or not self.undo.isClean()

    @property
    def name(self) -> str:
        """The name of the project's file, else of its film, without suffix; may be empty."""
        if self._path is not None:
            return self._path.stem
        return Path(self._project.input).stem if self._project.input else ""

    def load(self, project: Project, path: Path | None, *, unsaved: bool = False) -> None:
        """Replace the project and clear the undo stack.

        Args:
            project: The other project.
            path: Its file; None if it was never saved.
            unsaved: Whether it differs from its file, as after recovery or relinking.
        """
        self._project, self._path, self._unsaved = project, path, unsaved
        self.undo.clear()
        self.reset.emit()
        self.title_changed.emit()

    def saved(self, path: Path, project: Project) -> None:
        """Note that ``project`` was written to ``path``; the current value may be newer."""
        self._path = path
        if project.model_copy(update={"view": self._project.view}) == self._project:
            self._unsaved = False
            self.undo.setClean()
        self.title_changed.emit()

    def change(self, text: str, *, merge: str = "", **values: Any) -> None:
        """Change fields of the project by an undoable step, unless they are unchanged.

        With another model the seed is reset, because it selects among the styles of one model.

        Args:
            text: The step's name in Edit > Undo.
            merge: Steps with the same non-empty text are merged.
            **values: The new values by field name.
        """
        if values.get("model", self._project.render.model) != self._project.render.model:
            values.setdefault("seed", None)
        after = self._project.model_copy(update=values)
        if after != self._project:
            self.undo.push(ChangeProject(self, text, after, merge))

    def change_edits(self, text: str, edits: EditList, *, merge: str = "") -> None:
        """Change the edits by an undoable step; see ``change``."""
        self.change(text, merge=merge, edits=edits)

    def view(self, **values: Any) -> None:
        """Change the project's view, which is saved but is no undoable step."""
        self._project = self._project.model_copy(
            update={"view": self._project.view.model_copy(update=values)}
        )

    # A method and not a function: Qt disconnects it when the receiver is destroyed.
    def _clean_changed(self, _clean: bool) -> None:
        self.title_changed.emit()

    def _set(self, project: Project) -> None:
        before = self._project
        # Undo restores what is painted, not the view.
        self._project = project.model_copy(update={"view": before.view})
        self.changed.emit(before, self._project)
