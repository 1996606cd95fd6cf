"""The project in the window: a value, changed only by commands that can be undone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal
from PySide6.QtGui import QUndoCommand, QUndoStack

from vidtrans.labels.edit import EditList
from vidtrans_gui.project import Project


class ChangeProject(QUndoCommand):
    """One step of the undo stack: the project before and after. Since projects are values, this
    serves every command.

    Steps with the same ``merge`` text (one spin box being turned) become one.
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
    """``changed(before, after)`` comes with every new value of the project, ``reset`` with
    another project."""

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
        return self._project

    @property
    def path(self) -> Path | None:
        """The file of the project, None where it was never saved."""
        return self._path

    @property
    def modified(self) -> bool:
        return self._unsaved or not self.undo.isClean()

    @property
    def name(self) -> str:
        if self._path is not None:
            return self._path.stem
        return Path(self._project.input).stem if self._project.input else ""

    def load(self, project: Project, path: Path | None, *, unsaved: bool = False) -> None:
        """Another project; ``unsaved``: it holds work that no file has (a recovered or relinked
        one)."""
        self._project, self._path, self._unsaved = project, path, unsaved
        self.undo.clear()
        self.reset.emit()
        self.title_changed.emit()

    def saved(self, path: Path, project: Project) -> None:
        """``project`` is in the file ``path`` now; it may have been changed since."""
        self._path = path
        if project.model_copy(update={"view": self._project.view}) == self._project:
            self._unsaved = False
            self.undo.setClean()
        self.title_changed.emit()

    def change(self, text: str, *, merge: str = "", **values: Any) -> None:
        """Change fields of the project by a step called ``text`` under Edit > Undo; nothing where
        nothing differs.

        Another model begins with its first styles: what a seed draws from one model's says nothing
        of another's.
        """
        if values.get("model", self._project.render.model) != self._project.render.model:
            values.setdefault("seed", None)
        after = self._project.model_copy(update=values)
        if after != self._project:
            self.undo.push(ChangeProject(self, text, after, merge))

    def change_edits(self, text: str, edits: EditList, *, merge: str = "") -> None:
        self.change(text, merge=merge, edits=edits)

    def view(self, **values: Any) -> None:
        """Remember what the window shows: kept in the project, but no step of its history."""
        self._project = self._project.model_copy(
            update={"view": self._project.view.model_copy(update=values)}
        )

    # A method, not a function: Qt then knows the receiver, and a dying stack has nobody to tell.
    def _clean_changed(self, _clean: bool) -> None:
        self.title_changed.emit()

    def _set(self, project: Project) -> None:
        before = self._project
        # Undo goes back to other pictures, not to another playhead.
        self._project = project.model_copy(update={"view": before.view})
        self.changed.emit(before, self._project)
