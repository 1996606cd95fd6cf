"""The main window: makes the parts and connects them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

from PySide6.QtCore import QEvent, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QCloseEvent, QDragEnterEvent, QDropEvent, QGuiApplication, QImage
from PySide6.QtWidgets import (
    QApplication,
    QDockWidget,
    QMainWindow,
    QMessageBox,
    QStackedWidget,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)

from vidtrans.errors import VidtransError
from vidtrans.preview import Opened, PreviewEngine, PreviewLayer, PreviewScale, Status
from vidtrans_gui import theme, wording
from vidtrans_gui.about import about_text
from vidtrans_gui.actions import Actions
from vidtrans_gui.choices import Choices
from vidtrans_gui.classlist import ClassList
from vidtrans_gui.dialogs import ask
from vidtrans_gui.document import Document
from vidtrans_gui.editing import PICTURES, Editing
from vidtrans_gui.edits_panel import EditsPanel
from vidtrans_gui.export_controller import ExportController
from vidtrans_gui.export_store import ExportStore
from vidtrans_gui.files import Demo, Files
from vidtrans_gui.film_panel import FilmPanel
from vidtrans_gui.menus import Menus
from vidtrans_gui.navigation import Navigation
from vidtrans_gui.preferences import Preferences
from vidtrans_gui.problem import show_problem
from vidtrans_gui.project import REOPENING, Project, View
from vidtrans_gui.queue_panel import QueuePanel
from vidtrans_gui.render_bar import RenderBar
from vidtrans_gui.session import Engine, Session, Shown
from vidtrans_gui.status_bar import StatusBar
from vidtrans_gui.tasks import Tasks
from vidtrans_gui.timeline import Timeline
from vidtrans_gui.transport import Transport
from vidtrans_gui.viewer import COMPARISONS, Compare, Viewer
from vidtrans_gui.welcome import Welcome


class MainWindow(QMainWindow):
    """A window with one project.

    Signals:
        closed(): The window was shut down.
    """

    closed = Signal()

    def __init__(
        self,
        preferences: Preferences,
        folder: Path,
        *,
        demo: Demo | None = None,
        engine: Callable[[Callable[[Any], None]], Engine] = PreviewEngine,
    ) -> None:
        """Make the window.

        Args:
            preferences: The user's preferences.
            folder: The folder of recent files and recovery copies.
            demo: The demo clip; None where there is none.
            engine: Makes the preview.
        """
        super().__init__()
        self.setAcceptDrops(True)
        self.preferences = preferences
        self.tasks = Tasks(self)
        self.document = Document(self)
        self.session = Session(self, engine=engine)
        self.actions_ = Actions(self, self.document.undo)
        self._make_parts()
        self.files = Files(self, self.document, preferences, self.tasks, folder, demo=demo)
        self.navigation = Navigation(
            self, self.document, self.session, self.timeline, self.transport, self.actions_
        )
        self.editing = Editing(
            self,
            self.document,
            self.session,
            self.edits_panel,
            self.actions_,
            preferences,
            self.tasks,
        )
        self.exporting = ExportController(
            self,
            self.document,
            self.session,
            self.queue_panel,
            preferences,
            self.tasks,
            ExportStore(folder / "exports"),
        )
        self._exact: Shown | None = None  # what was shown last as it is exported
        self._another_film = (
            True  # whether the next film to open is another one, not the same with other settings
        )
        self._closing = False
        self._cuts: tuple[int, ...] = ()
        self.choices = Choices(self, self.document, self.render_bar, preferences, self.tasks)
        self.menus = Menus(self, self.actions_, self.docks, preferences)
        self._connect()
        self._tint()
        self._restore()
        self._reset()

    # -- parts -------------------------------------------------------------------------------------

    def _make_parts(self) -> None:
        self.welcome = Welcome(self)
        self.viewer = Viewer(self)
        self.render_bar = RenderBar(self.actions_, self)
        self.transport = Transport(self.actions_, self)
        self.timeline = Timeline(self)
        self.class_list = ClassList(self)
        self.edits_panel = EditsPanel(self.actions_, self)
        self.film_panel = FilmPanel(self)
        self.queue_panel = QueuePanel(self)
        self.status = StatusBar(self)
        self.setStatusBar(self.status)
        self.editor = QWidget(self)
        layout = QVBoxLayout(self.editor)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.render_bar)
        layout.addWidget(self.viewer, 1)
        layout.addWidget(self.transport)
        layout.addWidget(self.timeline)
        self.pages = QStackedWidget(self)
        self.pages.addWidget(self.welcome)
        self.pages.addWidget(self.editor)
        self.setCentralWidget(self.pages)
        self.docks = {
            name: self._dock(name, title, widget)
            for name, title, widget in (
                ("classes", self.tr("Classes"), self.class_list),
                ("edits", self.tr("Edits"), self.edits_panel),
                ("film", self.tr("Film"), self.film_panel),
                ("exports", self.tr("Exports"), self.queue_panel),
            )
        }
        self.tabifyDockWidget(self.docks["edits"], self.docks["film"])
        self.tabifyDockWidget(self.docks["film"], self.docks["exports"])
        for name in ("edits", "film", "exports"):
            self.docks[name].setTitleBarWidget(QWidget())  # their tabs are title enough
        self.docks["edits"].raise_()
        self.setTabPosition(Qt.DockWidgetArea.AllDockWidgetAreas, QTabWidget.TabPosition.North)
        self.resizeDocks(
            [self.docks["classes"], self.docks["edits"]], [340, 360], Qt.Orientation.Vertical
        )
        self.resizeDocks([self.docks["classes"]], [350], Qt.Orientation.Horizontal)

    def _dock(self, name: str, title: str, widget: QWidget) -> QDockWidget:
        dock = QDockWidget(title, self)
        dock.setObjectName(name)
        dock.setWidget(widget)
        self.addDockWidget(Qt.DockWidgetArea.RightDockWidgetArea, dock)
        return dock

    # -- connections -------------------------------------------------------------------------------

    def _connect(self) -> None:
        act = self.actions_
        for key, command in {
            "new": self.files.new,
            "open": self.files.open_dialog,
            "open-folder": self.files.open_folder_dialog,
            "demo": self.files.open_demo,
            "instances": self.choices.choose_instances,
            "save": self.files.save,
            "save-as": self.files.save_as,
            "export": self.exporting.dialog,
            "still": self.exporting.still_dialog,
            "copy-command": self.exporting.copy_command,
            "quit": self.close,
            "models": self.choices.open_models,
            "shortcuts": self._show_shortcuts,
            "about": lambda: QMessageBox.about(self, self.tr("About vidtrans"), about_text()),
            "fit": self.viewer.fit,
            "actual": lambda: self.viewer.set_zoom(1.0),
            "zoom-in": lambda: self.viewer.set_zoom(self.viewer.zoom * 1.25),
            "zoom-out": lambda: self.viewer.set_zoom(self.viewer.zoom / 1.25),
            "timeline-in": lambda: self.timeline.canvas.zoom(1.5),
            "timeline-out": lambda: self.timeline.canvas.zoom(1 / 1.5),
            "timeline-all": self.timeline.canvas.zoom_whole,
        }.items():
            act[key].triggered.connect(lambda _=False, call=command: call())
        for compare in COMPARISONS:
            act[compare].triggered.connect(lambda _=False, chosen=compare: self.set_compare(chosen))
        self.welcome.demo_wanted.connect(self.files.open_demo)
        self.welcome.open_wanted.connect(self.files.open_dialog)
        self.welcome.folder_wanted.connect(self.files.open_folder_dialog)
        self.welcome.recent_wanted.connect(self.files.open)
        self.files.failed.connect(self.show_problem)
        for part in (self.files, self.exporting):
            part.notified.connect(lambda text: self.status.showMessage(text, 6000))
        self.files.recent_changed.connect(self._show_recent)
        self.files.model_opened.connect(self.choices.use_model)
        self.files.checkpoints_opened.connect(
            lambda folder: self.choices.open_models().import_folder(folder)
        )
        self.document.reset.connect(self._reset)
        self.document.changed.connect(self._changed)
        self.document.title_changed.connect(self._title)
        self.session.opened.connect(self._opened)
        self.session.shown.connect(self._show)
        self.session.failed.connect(self._failed)
        self.session.gap_found.connect(self._offer_gaps)
        self.session.status_changed.connect(self._show_status)
        self.viewer.hovered.connect(self.editing.hover)
        self.viewer.picked.connect(self.editing.pick)
        self.viewer.menu_wanted.connect(self.editing.menu)
        self.viewer.zoom_changed.connect(self._show_zoom)
        self.viewer.wipe_changed.connect(
            lambda position: self.document.view(wipe=round(position, 4))
        )
        self.class_list.class_picked.connect(self.editing.pick_class)
        self.class_list.menu_wanted.connect(self._class_menu)
        self.editing.mask_changed.connect(self.viewer.show_mask)
        self.editing.rows_changed.connect(self.class_list.classes.show_rows)
        self.editing.selected.connect(self._selected)
        self.editing.refused.connect(self.show_problem)
        self.editing.marked.connect(self._mark)
        self.navigation.moved.connect(self.editing.set_frame)
        self.navigation.range_moved.connect(self.editing.set_range)
        self.navigation.moved.connect(self.exporting.set_frame)
        self.navigation.range_moved.connect(self.exporting.set_range)
        self.timeline.canvas.edit_picked.connect(self._pick_edit)
        self.edits_panel.picked.connect(lambda _index: self._show_edits())
        self.render_bar.layer_chosen.connect(self.set_layer)
        for panel in (self.render_bar, self.film_panel):
            panel.changed.connect(lambda text, values: self.document.change(text, **values))
        self.film_panel.instances_wanted.connect(self.choices.choose_instances)
        self.film_panel.palette_wanted.connect(self.choices.choose_palette)
        self.film_panel.refused.connect(lambda text: self.show_problem(self.tr("Film"), text))
        self.choices.failed.connect(self.show_problem)
        self.menus.layer_chosen.connect(self.set_layer)
        self.menus.preview_chosen.connect(self.set_preview)
        self.menus.appearance_chosen.connect(self.set_appearance)
        self.menus.recent_chosen.connect(self.files.open)
        self.exporting.failed.connect(self.show_problem)
        self.exporting.queued.connect(self._show_exports)
        self.exporting.ended.connect(self._export_ended)
        QGuiApplication.styleHints().colorSchemeChanged.connect(self._scheme_changed)

    # -- the project -------------------------------------------------------------------------------

    def _reset(self) -> None:
        """Show another project."""
        project = self.document.project
        self._another_film = True
        self._view = (
            project.view
        )  # as it was loaded: clearing the window overwrites the document's view
        self.session.leave()
        self.navigation.film_left()
        self._show_project(project)
        self.viewer.clear()
        self._exact = None
        demo = self.files.is_demo(project)  # it lies in the program's own folder
        self.preferences.film_opened(None if demo else project.input)
        self.menus.show_preview(project.view.preview)
        if project.input is None:
            self._show_page(self.welcome)
            self._film_gone()
        else:
            self._show_page(self.editor)
            if self.document.path is not None:
                self._show_view(self._view)
            else:  # what the window shows is part of the project from the start
                compare = self.viewer.compare
                self.document.view(
                    compare="off" if compare == "single" else compare,
                    wipe=round(self.viewer.wipe, 4),
                    layer=self.session.layer,
                )
            self._open(project)
        self._title()

    def _show_page(self, page: QWidget) -> None:
        """Show the welcome page without docks, or the editor with its docks as they were."""
        before = self.pages.currentWidget()
        if page is self.welcome and before is not page:
            self._layout = self.saveState()
        self.pages.setCurrentWidget(page)
        if page is self.welcome:
            for dock in self.docks.values():
                dock.hide()
        elif before is not page:  # between films the docks stay unchanged
            self.restoreState(self._layout)

    def _show_view(self, view: View) -> None:
        compare: Compare = "single"
        for known in COMPARISONS:
            compare = known if view.compare == known else compare
        self.set_compare(compare)
        self.viewer.set_wipe(view.wipe)
        if view.zoom is not None:
            self.viewer.set_zoom(view.zoom)
        if view.layer in get_args(PreviewLayer):
            self.set_layer(view.layer)  # type: ignore[arg-type]

    def _open(self, project: Project) -> None:
        self._film_gone()
        self.viewer.show_message(self.tr("Opening {0}…").format(Path(project.input or "").name))
        try:
            settings = project.settings()
        except VidtransError as error:
            self.session.leave()
            self._failed(wording.sentence(error), "")
            return
        self.session.open(settings, project.render.edits, project.view.preview)

    def _film_gone(self) -> None:
        self.navigation.film_closed()
        self.actions_.enable_film(False)
        self.film_panel.show_film(None)
        self.status.show_film(None)
        self.editing.film_opened()

    def _opened(self, film: Opened) -> None:
        self.viewer.show_message("")
        self._show_reduced(film)
        self.actions_.enable_film(True)
        self.film_panel.show_film(film)
        self.status.show_film(film)
        self.editing.film_opened()
        self.navigation.film_opened(film, self._view if self._another_film else None)
        self._another_film = False
        self._show_edits()

    def _show_reduced(self, film: Opened) -> None:
        """Mark a preview that is smaller than the export."""
        if not film.reduced:
            self.viewer.set_full_size(QSize())
            return
        (height, width), (full_height, full_width) = film.size_hw, film.full_hw
        note = self.tr("Preview 1/{0} · {1} × {2}").format(round(full_width / width), width, height)
        self.viewer.set_full_size(QSize(full_width, full_height), note)

    def set_preview(self, scale: PreviewScale) -> None:
        """Paint the preview at another part of the export's size."""
        if scale == self.document.project.view.preview:
            return
        self.document.view(preview=scale)
        self.menus.show_preview(scale)
        if self.document.project.input is not None:
            self._open(self.document.project)

    def _changed(self, before: Project, after: Project) -> None:
        self._show_project(after)
        was, now = before.flat(), after.flat()
        if any(was[name] != now[name] for name in REOPENING):
            if before.input != after.input:
                self._another_film = True
            self.preferences.put("model", after.render.model)
            self._open(after)
        elif before.render.edits != after.render.edits:
            self.session.edit(after.render.edits)
            self.editing.refresh()
        self._title()

    def _show_project(self, project: Project) -> None:
        self.render_bar.show_project(project)
        self.film_panel.show_project(project)
        self._show_edits()

    def _show_edits(self) -> None:
        frames = self.session.film.frames if self.session.film is not None else 0
        self.edits_panel.show_edits(self.document.project.render.edits.edits, frames)
        ranges = self.editing.edit_ranges(frames)
        self.timeline.canvas.set_edits(ranges, self.edits_panel.selected_index)
        self._show_marks()

    def _pick_edit(self, index: int) -> None:
        self.docks["edits"].raise_()
        self.edits_panel.select(index)

    def _title(self) -> None:
        name = self.document.name
        self.setWindowTitle(f"{name}[*] – vidtrans" if name else "vidtrans[*]")
        self.setWindowModified(self.document.modified)
        self.actions_["save"].setEnabled(self.document.project.input is not None)
        self.actions_["save-as"].setEnabled(self.document.project.input is not None)

    # -- pictures ----------------------------------------------------------------------------------

    def _show(self, shown: Shown) -> None:
        self.viewer.show_message("")
        missing = shown.result.isNull() and shown.layer != "labels"
        result, mark = shown.result, ""
        if shown.approximation is None:
            self._exact = shown
        elif shown.approximation == "waiting":
            result, mark = self._kept_picture(shown)
        else:
            mark = self.tr("Approximate – painting…")
        self.viewer.show_pictures(shown.label_picture, result, mark=mark)
        if missing and shown.approximation is None:
            self.viewer.show_message(
                self.tr("This frame has no layer “{0}”.").format(wording.layer_name(shown.layer))
            )
        self.editing.show(shown)
        self.navigation.show(shown)

    def _kept_picture(self, waiting: Shown) -> tuple[QImage, str]:
        """The last exact picture, and what it is, to look at until that of ``waiting`` is there."""
        kept = self._exact
        if kept is None or kept.layer != waiting.layer or kept.result.isNull():
            return QImage(), self.tr("Painting…")
        if kept.frame == waiting.frame:
            return kept.result, self.tr("Before the change – painting…")
        text = self.tr("Frame {0} – painting frame {1}…").format(kept.frame, waiting.frame)
        return kept.result, text

    def _failed(self, message: str, details: str) -> None:
        self.navigation.failed()
        # The dialog tells why; the viewer, where there is nothing to see.
        unopened = self.session.film is None
        self.viewer.show_message(self.tr("This film could not be opened.") if unopened else "")
        self.show_problem(self.tr("Preview"), message, details)

    def _offer_gaps(self, message: str) -> None:
        """Ask whether to go on over missing numbers of an image sequence."""
        self.navigation.failed()
        self.viewer.show_message(self.tr("Pictures of this film are missing."))
        ask(
            self,
            self.tr("Pictures are missing"),
            message,
            {
                self.tr("Go on over the gaps"): lambda: self.document.change(
                    self.tr("Go on over gaps"), allow_gaps=True
                ),
                self.tr("Leave it"): None,
            },
        )

    def _selected(self, name: str) -> None:
        self.class_list.choose(name)
        if name:
            self.docks["edits"].raise_()

    def _show_status(self, status: Status) -> None:
        self.navigation.show_status(status)
        self.status.show_status(status, self.navigation.fps)
        self._cuts = status.cuts
        self._show_marks()

    def _show_marks(self) -> None:
        """Draw cuts, resets and ends of edits, and let the keys jump to them."""
        edits = self.document.project.render.edits.edits
        resets = tuple(edit.start for edit in edits if edit.kind in ("reset-at", "first-frame"))
        self.timeline.canvas.set_cuts(
            tuple(cut for cut in self._cuts if cut and cut not in resets), resets
        )
        ends = [edge for edit in edits for edge in (edit.start, edit.end) if edge is not None]
        self.navigation.set_marks((*self._cuts, *resets, *ends))

    def set_layer(self, layer: PreviewLayer) -> None:
        """Show another layer."""
        self.render_bar.show_layer(layer)
        self.viewer.set_captions(self.tr("Labels"), wording.layer_name(layer))
        self.document.view(layer=layer)
        self.session.set_layer(layer)

    def set_compare(self, compare: Compare) -> None:
        """Compare labels and picture in another way."""
        self.actions_[compare].setChecked(True)
        self.viewer.set_compare(compare)
        self.document.view(compare="off" if compare == "single" else compare)

    def _show_zoom(self, zoom: float) -> None:
        self.render_bar.show_zoom(zoom)
        self.document.view(zoom=None if self.viewer.fitted else round(zoom, 4))

    def _mark(self, name: str, text: str) -> None:
        self.class_list.classes.mark(name)
        self.status.under.setText(text)

    def _class_menu(self, name: str, position: Any) -> None:
        self.editing.pick_class(name)
        self.editing.class_menu(position)

    # -- exports -----------------------------------------------------------------------------------

    def _show_exports(self) -> None:
        self.docks["exports"].show()
        self.docks["exports"].raise_()

    def _export_ended(self, job: Any) -> None:
        texts = {
            "done": self.tr("{0} is done."),
            "failed": self.tr("{0} failed."),
            "cancelled": self.tr("{0} was cancelled."),
        }
        self.status.showMessage(texts[job.state].format(job.output.name), 8000)
        if job.state == "done":
            QApplication.alert(self)

    # -- the rest of the window --------------------------------------------------------------------

    def _show_shortcuts(self) -> None:
        from vidtrans_gui.shortcuts_dialog import ShortcutsDialog

        ShortcutsDialog(self.actions_, self).open()

    def show_problem(self, title: str, message: str, details: str = "") -> None:
        """Show an error in a dialog."""
        show_problem(self, title, message, details)

    def _show_recent(self) -> None:
        paths = self.files.recent.paths()
        self.welcome.show_recent(paths)
        self.menus.show_recent(paths)

    def set_appearance(self, appearance: str) -> None:
        """Use ``system``, ``dark`` or ``light`` colours."""
        self.preferences.appearance = appearance  # type: ignore[assignment]
        self._scheme_changed()

    def _scheme_changed(self) -> None:
        app = QApplication.instance()
        assert isinstance(app, QApplication)
        theme.apply(app, theme.choose(self.preferences.appearance))

    def changeEvent(self, event: QEvent) -> None:
        if event.type() == QEvent.Type.PaletteChange and hasattr(self, "navigation"):
            self._tint()
        super().changeEvent(event)

    def _tint(self) -> None:
        self.actions_.tint(theme.theme_of(self.palette()))
        self.actions_.show_playing(self.navigation.player.playing)

    def _restore(self) -> None:
        self.set_compare("wipe")
        self._show_recent()
        kept = self.preferences.layout()
        if kept is None or not self.restoreGeometry(kept[0]):
            self.resize(QSize(1600, 900).boundedTo(self.screen().availableSize()))
        self._layout = kept[1] if kept is not None else self.saveState()
        self._show_page(self.welcome)

    def start(self, path: str | None = None, *, demo: bool = False) -> None:
        """Open what the command line names, and offer to recover work of a crashed window."""
        if demo:
            self.files.open_demo()
        elif path is not None:
            self.files.open(path)
        QTimer.singleShot(0, self.files.offer_recovery)
        QTimer.singleShot(0, self.exporting.offer_left)

    # -- drag and drop, closing --------------------------------------------------------------------

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if any(url.isLocalFile() for url in event.mimeData().urls()):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        """Open the first dropped file; a picture becomes the picture of the current frame."""
        path = next(url.toLocalFile() for url in event.mimeData().urls() if url.isLocalFile())
        event.acceptProposedAction()
        if (
            self.session.film is not None
            and Path(path).suffix.lower() in PICTURES
            and Path(path).is_file()
        ):
            self.editing.use_picture(path)
        else:
            self.files.open(path)

    def closeEvent(self, event: QCloseEvent) -> None:
        if not self._closing:
            event.ignore()
            self.files.unless_unsaved(self._close_if_idle)
            return
        event.accept()

    def _close_if_idle(self) -> None:
        if not self.exporting.busy:
            self.shut_down()
            return
        ask(
            self,
            self.tr("Exports are running"),
            self.tr("Stop them? What is done is kept, and can be taken up again with “go on”."),
            {self.tr("Stop and quit"): self.shut_down, self.tr("Stay"): None},
        )

    def shut_down(self) -> None:
        """Close: hide at once, then wait until threads have finished their current frame."""
        self._closing = True
        editing = self.pages.currentWidget() is self.editor
        self.preferences.remember_layout(
            self.saveGeometry(), self.saveState() if editing else self._layout
        )
        self.hide()
        self.navigation.player.pause()
        self.exporting.close()
        self.session.close()
        self.tasks.close()
        self.files.close()
        self.close()
        # Qt quits by itself only when the last visible window closes, and this one is hidden.
        self.closed.emit()
