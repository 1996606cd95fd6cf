"""The editing commands: they turn the selection into edits."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PySide6.QtCore import QObject, QPoint, Qt, Signal
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QMenu, QMessageBox, QWidget

from vidtrans.frame import LabelFrame
from vidtrans.labels.edit import (
    DeleteInstance,
    Edit,
    EditList,
    FirstFrame,
    RelabelClass,
    RelabelInstance,
    ResetAt,
    StyleClass,
    StyleInstance,
)
from vidtrans_gui import wording
from vidtrans_gui.actions import Actions
from vidtrans_gui.classlist import ClassRow
from vidtrans_gui.dialogs import ask, choose_file
from vidtrans_gui.document import Document
from vidtrans_gui.edits_panel import EditsPanel, Selection
from vidtrans_gui.fitted_picture import Fit, fitted_copy, picture_size
from vidtrans_gui.pictures import mask_overlay
from vidtrans_gui.preferences import Preferences
from vidtrans_gui.selection import Classes, Spot, mask_of, spot
from vidtrans_gui.session import Session, Shown
from vidtrans_gui.style_names import StyleNames, style_names
from vidtrans_gui.style_thumbs import around, paint_styles
from vidtrans_gui.tasks import Tasks
from vidtrans_gui.theme import theme_of
from vidtrans_gui.timeline import EditRange

_DELETE = Qt.WidgetAttribute.WA_DeleteOnClose
PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp")


class Editing(QObject):
    """The selection in the current frame, and the commands that edit the document.

    Signals:
        mask_changed(image): The overlay of the selection, for the viewer.
        rows_changed(rows): The ``ClassRow`` values of the current frame.
        marked(name, text): The class under the cursor and its description; empty for none.
        selected(name): The class that is selected; empty for none.
        refused(title, message): An edit does not suit the film or the model, and was not added.
    """

    mask_changed = Signal(QImage)
    rows_changed = Signal(list)
    marked = Signal(str, str)
    selected = Signal(str)
    refused = Signal(str, str)

    def __init__(
        self,
        window: QWidget,
        document: Document,
        session: Session,
        panel: EditsPanel,
        actions: Actions,
        preferences: Preferences,
        tasks: Tasks,
    ) -> None:
        super().__init__(window)
        self._window, self._document, self._session, self._panel = window, document, session, panel
        self._actions, self._preferences, self._tasks = actions, preferences, tasks
        self._classes = Classes(None, 0)
        self._shown: Shown | None = None
        self._spot: Spot | None = None
        self._frame = 0
        self._in_out = (0, 0)
        self._styles_named = StyleNames()
        panel.range_changed.connect(self._change_range)
        panel.picked.connect(lambda _index: self._enable())
        for key, command in {
            "relabel": self.relabel,
            "delete": self.delete,
            "style": self.style,
            "first-frame": self.choose_picture,
            "reset": self.toggle_reset,
            "remove-edit": self.remove_edit,
            "deselect": self.deselect,
        }.items():
            actions[key].triggered.connect(command)

    # -- the current frame -------------------------------------------------------------------------

    @property
    def classes(self) -> Classes:
        """The classes of the open model."""
        return self._classes

    @property
    def selection(self) -> Spot | None:
        """What is selected."""
        return self._spot

    def film_opened(self) -> None:
        """Read the classes of the session's film; clear the selection."""
        film = self._session.film
        self._classes = (
            Classes(None, 0) if film is None else Classes(film.model_scheme, film.label_nc)
        )
        self._shown, self._spot = None, None
        names = {plane: name for plane, name, _ in self._classes.all()}
        self._styles_named = StyleNames() if film is None else style_names(film.card, names)
        self._panel.set_styles(self._styles_named)
        self.refresh()

    def set_frame(self, frame: int) -> None:
        self._frame = frame

    def set_range(self, first: int, stop: int) -> None:
        self._in_out = (first, stop)

    def show(self, shown: Shown) -> None:
        """Update the class list and the selection's mask for another frame."""
        if shown.labels is None:
            # The labels of a cached picture come in a second answer; until then the mask of
            # another frame would be wrong.
            if self._shown is None or self._shown.frame != shown.frame:
                self.mask_changed.emit(QImage())
            return
        self._shown = shown
        self._follow_instance(shown.labels)
        self.refresh()

    def refresh(self) -> None:
        """Update class list, mask and commands."""
        shown = self._shown
        shares = (shown.shares if shown is not None else None) or {}
        styled = {
            edit.name
            for edit in self._document.project.render.edits.edits
            if isinstance(edit, StyleClass)
        }
        rows = [
            ClassRow(name, colour, shares.get(plane, 0.0), name in styled)
            for plane, name, colour in self._classes.all()
        ]
        named = {plane for plane, _, _ in self._classes.all()}
        rows += [
            ClassRow(self._classes.name(plane), self._classes.colour(plane), share)
            for plane, share in shares.items()
            if plane not in named
        ]
        self.rows_changed.emit(rows)
        self._show_selection()

    def _follow_instance(self, labels: LabelFrame) -> None:
        """Give the selected instance the class that it has now: an edit may have changed it."""
        found = self._spot
        if found is None or found.instance is None or labels.instances is None:
            return
        planes = labels.ids[labels.instances == found.instance]
        if planes.size:
            plane = int(np.bincount(planes.ravel()).argmax())
            if plane != found.plane:
                self._spot = Spot(plane, found.instance)
                self.selected.emit(self._classes.name(plane))

    def hover(self, x: int, y: int) -> None:
        """Describe what is at picture pixel (x, y); (-1, -1) is outside of the picture."""
        labels = self._shown.labels if self._shown is not None else None
        found = spot(labels, self._classes, x, y) if labels is not None and x >= 0 else None
        if found is None:
            self.marked.emit("", "")
            return
        name = self._classes.name(found.plane)
        what = (
            name
            if found.instance is None
            else self.tr("{0}, instance {1}").format(name, found.instance)
        )
        self.marked.emit(name, f"{x}, {y}   {what}")

    # -- selecting ---------------------------------------------------------------------------------

    def pick(self, x: int, y: int) -> None:
        """Select what is at picture pixel (x, y)."""
        labels = self._shown.labels if self._shown is not None else None
        if labels is not None:
            self._select(spot(labels, self._classes, x, y))

    def pick_class(self, name: str) -> None:
        """Select the whole class called ``name``."""
        plane = self._classes.plane(name)
        self._select(None if plane is None else Spot(plane, None))

    def deselect(self) -> None:
        """Clear the selection."""
        self._select(None)

    def _select(self, found: Spot | None) -> None:
        self._spot = found
        self._show_selection()
        self.selected.emit("" if found is None else self._classes.name(found.plane))

    def _size_hw(self) -> tuple[int, int]:
        assert self._shown is not None
        picture = (
            self._shown.result if not self._shown.result.isNull() else self._shown.label_picture
        )
        return picture.height(), picture.width()

    def _show_selection(self) -> None:
        self._enable()
        found, shown = self._spot, self._shown
        if found is None:
            self._panel.show_selection(None)
            self.mask_changed.emit(QImage())
            return
        share, overlay = 0.0, QImage()
        if shown is not None and shown.labels is not None:
            mask = mask_of(shown.labels, found.plane, found.instance, self._size_hw())
            share = float(mask.mean()) if mask.size else 0.0
            if share:
                overlay = mask_overlay(mask, theme_of(self._window.palette()).accent)
        self._panel.show_selection(
            Selection(
                self._classes.name(found.plane),
                self._classes.colour(found.plane),
                found.instance,
                share,
            )
        )
        self.mask_changed.emit(overlay)

    def _enable(self) -> None:
        """Enable the commands that would have an effect; tooltips say why others would not."""
        film, found = self._session.film, self._spot
        self._actions["relabel"].setEnabled(film is not None and found is not None)
        self._actions["delete"].setEnabled(
            film is not None and found is not None and found.instance is not None
        )
        if film is not None and not film.has_instances:
            self._actions["delete"].setToolTip(
                self.tr("This film has no instance maps, so there is no single instance to delete")
            )
        else:
            self._actions["delete"].setToolTip(self._actions["delete"].statusTip())
        self._actions["style"].setEnabled(
            film is not None and found is not None and self._styles(found) > 0
        )
        self._actions["remove-edit"].setEnabled(self._panel.selected_index is not None)
        self._actions["deselect"].setEnabled(found is not None)

    def _styles(self, found: Spot) -> int:
        """How many styles the model has for the class of ``found``."""
        film = self._session.film
        return 0 if film is None else len(film.card.styles.get(str(found.plane), ()))

    # -- edits -------------------------------------------------------------------------------------

    def _range(self) -> tuple[int, int | None]:
        """First and last frame (exclusive, None: the end) of a new edit, as chosen in the panel."""
        frames = self._session.film.frames if self._session.film is not None else 0
        match self._panel.chosen_reach:
            case "range":
                first, stop = self._in_out
                return first, None if stop >= frames else stop
            case "onward":
                return self._frame, None
            case "frame":
                return self._frame, self._frame + 1
            case _:
                return 0, None

    def add(self, edit: Edit) -> bool:
        """Add an edit by an undoable step, and select it in the list.

        Returns:
            Whether it was added; ``refused`` tells why not.
        """
        edits = self._document.project.render.edits.added(edit)
        if not self._suits(edits):
            return False
        self._document.change_edits(wording.describe(edit), edits)
        self._panel.select(len(edits.edits) - 1)
        return True

    def _suits(self, edits: EditList) -> bool:
        """Whether the film and the model take these edits; else they are refused."""
        problem = self._session.problem_of(edits)
        if problem:
            self.refused.emit(self.tr("This edit is not possible"), problem)
        return not problem

    def relabel(self) -> None:
        """Open a dialog that chooses the class that the selection becomes."""
        from vidtrans_gui.class_picker import ClassPicker

        found = self._spot
        if found is None:
            return
        name = self._classes.name(found.plane)
        what = (
            name
            if found.instance is None
            else self.tr("instance {0} ({1})").format(found.instance, name)
        )
        others = [(other, colour) for _, other, colour in self._classes.all() if other != name]
        dialog = ClassPicker(
            self.tr("Relabel"), self.tr("{0} becomes:").format(what), others, self._window
        )
        dialog.chosen.connect(lambda target: self.relabel_as(target, found))
        dialog.open()

    def relabel_as(self, target: str, found: Spot | None = None) -> None:
        """Relabel ``found``, else the selection, as the class ``target``."""
        found = found or self._spot
        if found is None:
            return
        start, end = self._range()
        if found.instance is None:
            added = self.add(RelabelClass(self._classes.name(found.plane), target, start, end))
        else:
            added = self.add(RelabelInstance(found.instance, target, start, end))
        plane = self._classes.plane(target)
        if added and plane is not None:  # what is selected has another name now
            self._select(Spot(plane, found.instance))

    def delete(self) -> None:
        """Delete the selected instance."""
        found = self._spot
        if found is not None and found.instance is not None:
            start, end = self._range()
            if self.add(DeleteInstance(found.instance, start, end)):
                self.deselect()

    def style(self) -> None:
        """Open a sheet of the model's styles, painted for the selection in the background."""
        from vidtrans_gui.style_dialog import StyleDialog

        found, shown = self._styled(self._spot), self._shown
        if (
            found is None
            or shown is None
            or shown.labels is None
            or not (count := self._styles(found))
        ):
            return
        name = self._classes.name(found.plane)
        target: str | int = name if found.instance is None else found.instance
        dialog = StyleDialog(
            self.tr("Style of {0}").format(wording.target(target)),
            count,
            self._window,
            names=[self._styles_named.name(name, style) for style in range(count)],
        )
        dialog.chosen.connect(lambda style: self.style_as(style, found))
        box = around(mask_of(shown.labels, found.plane, found.instance, self._size_hw()))
        settings, edits = self._document.project.settings(), self._document.project.render.edits
        stop, put, frame = dialog.stop, dialog.put, self._frame

        def paint(_report: Any) -> None:
            for thumb in paint_styles(settings, edits, frame, target, count, box, stop=stop):
                put(thumb)

        def failed(message: str, _details: str) -> None:
            if not stop.is_set():
                dialog.show_note(message)

        self._tasks.start(paint, done=lambda _none: None, failed=failed)
        dialog.open()

    def _styled(self, found: Spot | None) -> Spot | None:
        """The target of a style: the whole class if the model's encoder works by class."""
        film = self._session.film
        encoder = film.card.encoder if film is not None else None
        return (
            Spot(found.plane, None)
            if found is not None and encoder and encoder.get("by_label")
            else found
        )

    def style_as(self, style: int, found: Spot | None = None) -> None:
        """Give ``found``, else the selection, style number ``style`` (from 0)."""
        found = self._styled(found or self._spot)
        if found is None:
            return
        start, end = self._range()
        if found.instance is None:
            self.add(StyleClass(self._classes.name(found.plane), style, start, end))
        else:
            self.add(StyleInstance(found.instance, style, start, end))

    def choose_picture(self) -> None:
        """Open a dialog that chooses a picture for the current frame."""
        kinds = self.tr("Pictures ({0})").format(" ".join(f"*{suffix}" for suffix in PICTURES))
        choose_file(
            self._window,
            self._preferences,
            "picture",
            self.tr("First-frame picture"),
            kinds,
            self.use_picture,
        )

    def use_picture(self, path: str) -> None:
        """Use the picture ``path`` as the current frame; the generator continues from it.

        A picture of another size than the film's is offered fitted or cropped.
        """
        film = self._session.film
        if film is None:
            return
        sizes = {film.full_hw, film.info.size_hw}

        def looked(size_hw: tuple[int, int]) -> None:
            if size_hw in sizes:
                self._use_picture(path)
            else:
                self._offer_fitted(path, size_hw, film.full_hw)

        self._tasks.start(
            lambda report: picture_size(path),
            done=looked,
            failed=lambda message, _details: self.refused.emit(
                self.tr("First-frame picture"), message
            ),
        )

    def _offer_fitted(
        self, path: str, size_hw: tuple[int, int], wanted_hw: tuple[int, int]
    ) -> None:
        def fitted(how: Fit) -> None:
            self._tasks.start(
                lambda report: fitted_copy(path, wanted_hw, how),
                done=lambda made: self._use_picture(str(made)),
                failed=lambda message, _details: self.refused.emit(
                    self.tr("First-frame picture"), message
                ),
            )

        ask(
            self._window,
            self.tr("First-frame picture"),
            self.tr(
                "{0} is {1} × {2}, and the film {3} × {4}. A copy that fits is made beside it."
            ).format(Path(path).name, size_hw[1], size_hw[0], wanted_hw[1], wanted_hw[0]),
            {
                self.tr("Crop"): lambda: fitted("crop"),
                self.tr("Stretch"): lambda: fitted("stretch"),
                self.tr("Cancel"): None,
            },
            icon=QMessageBox.Icon.Question,
        )

    def _use_picture(self, path: str) -> None:
        edits = self._document.project.render.edits
        for index, edit in enumerate(edits.edits):
            if isinstance(edit, FirstFrame) and edit.start == self._frame:
                changed = FirstFrame(path, self._frame)
                replaced = edits.replaced(index, changed)
                if self._suits(replaced):
                    self._document.change_edits(wording.describe(changed), replaced)
                return
        self.add(FirstFrame(path, self._frame))

    def toggle_reset(self) -> None:
        """Force a reset before the current frame, or remove the one that is there."""
        edits = self._document.project.render.edits
        for index, edit in enumerate(edits.edits):
            if isinstance(edit, ResetAt) and edit.start == self._frame:
                self._document.change_edits(self.tr("Remove reset"), edits.removed(index))
                return
        self.add(ResetAt(self._frame))

    def remove_edit(self) -> None:
        """Remove the edit that is selected in the list."""
        index = self._panel.selected_index
        if index is not None:
            edits = self._document.project.render.edits
            gone = wording.describe(edits.edits[index])
            self._document.change_edits(self.tr("Remove {0}").format(gone), edits.removed(index))

    def _change_range(self, index: int, start: int, end: int) -> None:
        edits = self._document.project.render.edits
        edit = edits.edits[index]
        changed: Edit
        if isinstance(edit, FirstFrame | ResetAt):
            changed = replace(edit, start=start)
        else:
            changed = replace(edit, start=start, end=None if end < 0 else max(end, start + 1))
        if changed != edit and self._suits(edits.replaced(index, changed)):
            text = self.tr("Change range of {0}").format(wording.describe(edit))
            self._document.change_edits(
                text, edits.replaced(index, changed), merge=f"range {index}"
            )

    def edit_ranges(self, frames: int) -> list[EditRange]:
        """The edits as the timeline draws them, for a film of ``frames`` frames."""
        return [
            EditRange(
                index,
                edit.start,
                frames if edit.end is None else min(edit.end, frames),
                wording.describe(edit, self._styles_named),
                wording.colour_of(edit),
            )
            for index, edit in enumerate(self._document.project.render.edits.edits)
        ]

    def menu(self, x: int, y: int, position: QPoint) -> None:
        """Select what is at picture pixel (x, y) and open its context menu at ``position``."""
        self.pick(x, y)
        self.class_menu(position)

    def class_menu(self, position: QPoint) -> None:
        """Open the selection's context menu at the global ``position``."""
        menu = QMenu(self._window)
        menu.setAttribute(_DELETE)
        for key in ("relabel", "delete", "style"):
            menu.addAction(self._actions[key])
        menu.addSeparator()
        for key in ("first-frame", "reset"):
            menu.addAction(self._actions[key])
        menu.popup(position)
