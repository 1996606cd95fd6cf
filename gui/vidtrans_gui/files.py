"""The file commands: new, open, save, recover, relink. They work in background threads."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QObject, QTimer, Signal
from PySide6.QtWidgets import QFileDialog, QMessageBox, QWidget

from vidtrans.pipeline.settings import RenderSettings
from vidtrans_gui.dialogs import ask, choose_file
from vidtrans_gui.document import Document
from vidtrans_gui.preferences import Preferences
from vidtrans_gui.project import (
    SUFFIX,
    Loaded,
    Missing,
    Project,
    load_project,
    missing_media,
    relink,
    save_project,
)
from vidtrans_gui.recovery import RecentFiles, Recovered, Recovery
from vidtrans_gui.tasks import Tasks

FILMS = "*.mkv *.mp4 *.mov *.webm *.avi *.nut *.y4m *.m4v *.png *.bmp *.tif *.tiff"
MODEL_SUFFIX = ".safetensors"
AUTOSAVE_MS = 4000


@dataclass(frozen=True)
class Demo:
    """The demo clip.

    Attributes:
        labels: The label film.
        instances: Its instance maps.
        seed: The seed for the styles of instances, with the embedded model.
    """

    labels: Path
    instances: Path
    seed: int | None = None


class Files(QObject):
    """The commands of the File menu.

    Signals:
        failed(title, message, details): A problem to show.
        recent_changed(): The list of recent files is different.
        notified(message): A message for the status bar.
        model_opened(path): A model file was opened.
        checkpoints_opened(folder): A folder of published checkpoints was opened.
    """

    failed = Signal(str, str, str)
    recent_changed = Signal()
    notified = Signal(str)
    model_opened = Signal(str)
    checkpoints_opened = Signal(str)

    def __init__(
        self,
        window: QWidget,
        document: Document,
        preferences: Preferences,
        tasks: Tasks,
        folder: Path,
        *,
        demo: Demo | None,
    ) -> None:
        super().__init__(window)
        self._window, self._document, self._preferences, self._tasks = (
            window,
            document,
            preferences,
            tasks,
        )
        self._demo = demo
        self.recent = RecentFiles(folder / "recent.json")
        self.recovery = Recovery(folder / "recovery")
        self._autosave = QTimer(self, singleShot=True, interval=AUTOSAVE_MS)
        self._autosave.timeout.connect(self.autosave)
        document.changed.connect(lambda _before, _after: self._autosave.start())

    # -- new and open ------------------------------------------------------------------------------

    def new(self) -> None:
        """Start an empty project."""
        self.unless_unsaved(lambda: self._load(Project(), None))

    def open_dialog(self) -> None:
        """Open a dialog that chooses a film or a project."""
        kinds = self.tr("Films, pictures and projects ({0})").format(f"{FILMS} *{SUFFIX}")
        choose_file(
            self._window,
            self._preferences,
            "film",
            self.tr("Open"),
            f"{kinds};;{self.tr('All files (*)')}",
            self.open,
        )

    def open_folder_dialog(self) -> None:
        """Open a dialog that chooses a folder of images."""
        choose_file(
            self._window,
            self._preferences,
            "film",
            self.tr("Open folder of images"),
            "",
            self.open,
            mode=QFileDialog.FileMode.Directory,
        )

    def open_demo(self) -> None:
        """Open the demo clip with its instance maps."""
        demo = self._demo
        if demo is None or not demo.labels.exists():
            self.failed.emit(
                self.tr("Demo"), self.tr("This copy of vidtrans comes without its demo film."), ""
            )
            return
        instances = str(demo.instances) if demo.instances.exists() else None
        self.unless_unsaved(lambda: self._open_film(demo.labels, instances, demo.seed))

    def open(self, path: str) -> None:
        """Open a project, a film, a folder of images, a model, or a folder of checkpoints."""
        chosen = Path(path)
        if chosen.suffix == MODEL_SUFFIX:
            self.model_opened.emit(str(chosen.absolute()))
        elif chosen.is_dir() and any(chosen.glob("*_net_G*.pth")):
            self.checkpoints_opened.emit(str(chosen.absolute()))
        elif chosen.suffix == SUFFIX:
            self.unless_unsaved(lambda: self._open_project(chosen.absolute()))
        else:
            self.unless_unsaved(lambda: self._open_film(chosen.absolute()))

    def _open_film(self, path: Path, instances: str | None = None, seed: int | None = None) -> None:
        project = Project(input=str(path), render=RenderSettings(instances=instances, seed=seed))
        model = self._preferences.get("model", project.render.model)
        if model != project.render.model and not missing_media(
            Project(render=RenderSettings(model=model))
        ):  # the model used last may have been removed
            project = project.model_copy(update={"model": model, "seed": None})
        self._load(project, None)
        self._remember(path)

    def _open_project(self, path: Path) -> None:
        self.notified.emit(self.tr("Opening {0}…").format(path.name))
        self._tasks.start(
            lambda report: load_project(path),
            done=self._loaded,
            failed=self._problem(self.tr("Open project")),
        )

    def _loaded(self, loaded: Loaded) -> None:
        if loaded.ignored:
            self.notified.emit(" ".join(loaded.ignored))
        self._remember(loaded.path)
        if loaded.missing:
            name = loaded.path.stem
            self._relink(
                loaded.project,
                name,
                loaded.missing,
                lambda project, new: self._load(project, loaded.path, unsaved=new),
            )
        else:
            self._load(loaded.project, loaded.path)

    def _load(self, project: Project, path: Path | None, *, unsaved: bool = False) -> None:
        self._autosave.stop()
        self._forget()
        self._document.load(project, path, unsaved=unsaved)

    def _remember(self, path: Path) -> None:
        self._tasks.start(
            lambda report: self.recent.add(path),
            done=lambda _none: self.recent_changed.emit(),
            failed=lambda message, _details: self.notified.emit(message),
        )

    def _problem(self, title: str) -> Callable[[str, str], None]:
        return lambda message, details: self.failed.emit(title, message, details)

    # -- missing media -----------------------------------------------------------------------------

    def _relink(
        self,
        project: Project,
        name: str,
        missing: tuple[Missing, ...],
        then: Callable[[Project, bool], None],
    ) -> None:
        """Ask for the first missing file; others that moved along are found next to it.

        Args:
            project: The project with missing files.
            name: The project's name.
            missing: Its missing files.
            then: Opens the project, given whether it was relinked. Not called where the question
                is cancelled.
        """
        first = missing[0]
        names = ", ".join(sorted({part.path.name for part in missing}))

        def found(chosen: str) -> None:
            linked = relink(project, first, chosen)
            left = missing_media(linked)
            if left and len(left) < len(missing):
                self._relink(linked, name, left, then)
            else:
                then(linked, True)

        def look() -> None:
            folder = first.path.suffix == ""
            choose_file(
                self._window,
                self._preferences,
                "film",
                self.tr("Where is {0}?").format(first.path.name),
                (
                    ""
                    if folder
                    else self.tr("{0} (*{1});;All files (*)").format(
                        first.path.name, first.path.suffix
                    )
                ),
                found,
                mode=(
                    QFileDialog.FileMode.Directory if folder else QFileDialog.FileMode.ExistingFile
                ),
            )

        ask(
            self._window,
            self.tr("Media not found"),
            self.tr("{0} is not where the project {1} had it: {2}").format(
                names, name, first.path.parent
            ),
            {
                self.tr("Find it…"): look,
                self.tr("Open without"): lambda: then(project, False),
                self.tr("Cancel"): None,
            },
        )

    # -- save --------------------------------------------------------------------------------------

    def save(self, then: Callable[[], None] | None = None) -> None:
        """Save the project, under a new name if it has none; ``then`` is called afterwards."""
        if self._document.path is None:
            self.save_as(then)
        else:
            self._write(self._document.path, then)

    def save_as(self, then: Callable[[], None] | None = None) -> None:
        """Save the project under a name to choose; ``then`` is called afterwards."""
        name = f"{self._document.name or 'project'}{SUFFIX}"

        def chosen(path: str) -> None:
            file = Path(path)
            self._write(file if file.suffix == SUFFIX else file.with_name(file.name + SUFFIX), then)

        choose_file(
            self._window,
            self._preferences,
            "project",
            self.tr("Save project"),
            self.tr("Projects (*{0})").format(SUFFIX),
            chosen,
            save_as=name,
        )

    def write(self, path: Path) -> None:
        """Save the project to ``path``."""
        self._write(path, None)

    def _write(self, path: Path, then: Callable[[], None] | None) -> None:
        project = self._document.project

        def done(written: Path) -> None:
            self._document.saved(written, project)
            if not self._document.modified:
                self._autosave.stop()
                self._forget()
            self._remember(written)
            self.notified.emit(self.tr("Saved {0}").format(written.name))
            if then is not None:
                then()

        self._tasks.start(
            lambda report: save_project(project, path),
            done=done,
            failed=self._problem(self.tr("Save project")),
        )

    def unless_unsaved(self, then: Callable[[], None]) -> None:
        """Call ``then`` once no unsaved work is lost by it.

        That is at once, after saving, or after the user has discarded the changes.
        """
        if not self._document.modified:
            then()
            return
        ask(
            self._window,
            self.tr("Unsaved changes"),
            self.tr("Save the changes to {0}?").format(
                self._document.name or self.tr("the project")
            ),
            {
                self.tr("Save"): lambda: self.save(then),
                self.tr("Don't save"): then,
                self.tr("Cancel"): None,
            },
            icon=QMessageBox.Icon.Question,
        )

    # -- recovery ----------------------------------------------------------------------------------

    def autosave(self) -> None:
        """Write a recovery copy of unsaved work."""
        if self._document.modified and self._document.project.input is not None:
            project, path = self._document.project, self._document.path
            self._tasks.start(
                lambda report: self.recovery.autosave(project, path),
                done=lambda _none: None if self._document.modified else self._forget(),
                failed=lambda message, _details: self.notified.emit(message),
            )

    def _forget(self) -> None:
        self._tasks.start(
            lambda report: self.recovery.forget(),
            done=lambda _none: None,
            failed=lambda _m, _d: None,
        )

    def offer_recovery(self) -> None:
        """Ask whether to recover work of a window that crashed."""
        self._tasks.start(
            lambda report: self.recovery.left_behind(), done=self._offer, failed=lambda _m, _d: None
        )

    def _offer(self, left: tuple[Recovered, ...]) -> None:
        if not left:
            return
        newest = left[0]
        name = (
            newest.path.stem
            if newest.path
            else Path(newest.project.input or self.tr("a project")).name
        )
        when = time.strftime("%H:%M, %x", time.localtime(newest.saved_at))

        def discard() -> None:
            self._tasks.start(
                lambda report: self.recovery.discard(newest),
                done=lambda _none: None,
                failed=lambda _m, _d: None,
            )

        def load(project: Project, _changed: bool) -> None:
            self._load(project, newest.path, unsaved=True)
            self.autosave()
            discard()

        def looked(missing: tuple[Missing, ...]) -> None:
            if missing:
                self.unless_unsaved(lambda: self._relink(newest.project, name, missing, load))
            else:
                self.unless_unsaved(lambda: load(newest.project, False))

        def recover() -> None:
            failed = self._problem(self.tr("Recover unsaved work"))
            self._tasks.start(
                lambda report: missing_media(newest.project), done=looked, failed=failed
            )

        def give_up() -> None:
            discard()
            self._offer(left[1:])

        ask(
            self._window,
            self.tr("Recover unsaved work"),
            self.tr("vidtrans ended before {0} was saved. There is a copy from {1}.").format(
                name, when
            ),
            {self.tr("Recover"): recover, self.tr("Discard"): give_up, self.tr("Later"): None},
        )

    def close(self) -> None:
        """Remove the recovery copy: the window closes with nothing left to save."""
        self._autosave.stop()
        self.recovery.forget()
