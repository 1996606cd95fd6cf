"""The file commands: new, open, save, recover, relink. They work in background threads."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from PySide6.QtCore import QObject, QTimer, Signal
from PySide6.QtWidgets import QFileDialog, QMessageBox, QWidget

from vidtrans.errors import OutputError, VidtransError
from vidtrans.labels.detect import parse_labels
from vidtrans.model import find_bundle, read_card
from vidtrans.pipeline.look_ahead import look_ahead
from vidtrans.pipeline.settings import RenderSettings
from vidtrans.pipeline.setup import open_source
from vidtrans_gui import wording
from vidtrans_gui.dialogs import ask, choose_file
from vidtrans_gui.document import Document
from vidtrans_gui.file_kinds import FILMS
from vidtrans_gui.preferences import Preferences
from vidtrans_gui.project import (
    ANY,
    SUFFIX,
    ChangedOnDiskError,
    Loaded,
    Missing,
    Project,
    file_digest,
    load_project,
    missing_media,
    relink,
    save_project,
)
from vidtrans_gui.recovery import ProjectLock, RecentFiles, Recovered, Recovery
from vidtrans_gui.tasks import Tasks

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


@dataclass(frozen=True)
class Problem:
    """Why a film cannot be opened.

    Attributes:
        sentence: The reason.
        curable: Whether a setting of the window may help.
        gap: Whether pictures of it are missing.
    """

    sentence: str
    curable: bool
    gap: bool


def probe(project: Project) -> Problem | None:
    """Whether a project's film can be read, without its model; may be slow."""
    try:
        settings = project.settings()
        takes_pictures = read_card(find_bundle(settings.render.model)).system == "pix2pix"
        with open_source(settings) as reader:
            if not takes_pictures:  # a pix2pix may do so
                look_ahead(reader, parse_labels(settings.render.labels))
    except VidtransError as error:
        gap = any("allow_gaps" in remedy.settings for remedy in error.remedies)
        return Problem(wording.sentence(error), bool(error.remedies), gap)
    return None


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
        self.lock = ProjectLock(folder / "open")
        self._on_disk: str | None = ANY  # digest of what this window read or wrote last
        self._autosave = QTimer(self, singleShot=True, interval=AUTOSAVE_MS)
        self._autosave.timeout.connect(self.autosave)
        document.changed.connect(lambda _before, _after: self._autosave.start())
        document.undo.cleanChanged.connect(self._clean_changed)

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

    def is_demo(self, project: Project) -> bool:
        """Whether a project is of the demo clip."""
        return self._demo is not None and project.input == str(self._demo.labels)

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

        def load(readable: Project) -> None:
            self._load(readable, None)
            self._remember(path)

        self._once_readable(project, load)

    def _once_readable(self, project: Project, then: Callable[[Project], None]) -> None:
        """Call ``then`` with the project; where a film is open that it would close, only if the new
        one can be read, or the user wants to see to it that it can."""
        if self._document.project.input is None or project.input is None:
            then(project)
            return
        over_gaps = project.model_copy(update={"allow_gaps": True})

        def looked(problem: Problem | None) -> None:
            if problem is None:
                then(project)
            elif problem.curable:
                go_on = (
                    {self.tr("Go on over the gaps"): lambda: then(over_gaps)}
                    if problem.gap
                    else {self.tr("Open it all the same"): lambda: then(project)}
                )
                ask(
                    self._window,
                    self.tr("Open"),
                    problem.sentence,
                    go_on | {self.tr("Keep the open film"): None},
                    default=self.tr("Keep the open film"),
                )
            else:
                self.failed.emit(self.tr("Open"), problem.sentence, "")

        self._tasks.start(
            lambda report: probe(project), done=looked, failed=self._problem(self.tr("Open"))
        )

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

        def load(project: Project, new: bool) -> None:
            self._load_unless_open(replace(loaded, project=project), unsaved=new)

        if loaded.missing:
            self._relink(loaded.project, loaded.path.stem, loaded.missing, load)
        else:
            self._once_readable(loaded.project, lambda found: load(found, found != loaded.project))

    def _load_unless_open(self, loaded: Loaded, *, unsaved: bool) -> None:
        """Load a project; ask before, where another window has it open."""

        def load(path: Path | None, unsaved: bool) -> None:
            self._load(loaded.project, path, unsaved=unsaved)
            self._on_disk = loaded.digest

        if self._document.path == loaded.path or self.lock.acquire(loaded.path):
            load(loaded.path, unsaved)
            return
        ask(
            self._window,
            self.tr("Open project"),
            self.tr(
                "{0} is open in another window. What one of them saves, the other does not have."
            ).format(loaded.path.name),
            {
                self.tr("Open a copy"): lambda: load(None, True),
                self.tr("Open it all the same"): lambda: load(loaded.path, unsaved),
                self.tr("Cancel"): None,
            },
        )

    def _load(self, project: Project, path: Path | None, *, unsaved: bool = False) -> None:
        self._autosave.stop()
        self._forget()
        if path is None:
            self.lock.release()
        self._on_disk = ANY
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
            self._write(self._document.path, then, expected=self._on_disk)

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

    def _write(
        self, path: Path, then: Callable[[], None] | None, *, expected: str | None = ANY
    ) -> None:
        """Save to ``path``, if it holds what is ``expected``; else ask what to do."""
        project, own = self._document.project, self._document.path

        def work(_report: object) -> tuple[Path, str | None] | None:
            if path != own and not self.lock.acquire(path):
                raise OutputError(
                    "is open in another window.", where=path, hint="Choose another name."
                )
            try:
                written = save_project(project, path, expected=expected)
            except ChangedOnDiskError:
                return None
            except OutputError:
                if own is not None:
                    self.lock.acquire(own)
                raise
            return written, file_digest(written)

        def done(saved: tuple[Path, str | None] | None) -> None:
            if saved is None:
                self._ask_about_change(path, then)
                return
            written, self._on_disk = saved
            self._document.saved(written, project)
            if not self._document.modified:
                self._autosave.stop()
                self._forget()
            self._remember(written)
            self.notified.emit(self.tr("Saved {0}").format(written.name))
            if then is not None:
                then()

        self._tasks.start(work, done=done, failed=self._problem(self.tr("Save project")))

    def _ask_about_change(self, path: Path, then: Callable[[], None] | None) -> None:
        """The project's file was changed by somebody else since it was opened or saved."""
        ask(
            self._window,
            self.tr("Save project"),
            self.tr(
                "{0} was changed by another window or program since it was opened here. Overwriting"
                " loses these changes, reloading loses yours."
            ).format(path.name),
            {
                self.tr("Save as…"): lambda: self.save_as(then),
                self.tr("Reload"): lambda: self._open_project(path),
                self.tr("Overwrite"): lambda: self._write(path, then),
                self.tr("Cancel"): None,
            },
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
        """Write a recovery copy of unsaved work; remove it where there is none any more."""
        if not self._document.modified:
            self._forget()
        elif self._document.project.input is not None:
            project, path, known = self._document.project, self._document.path, self._on_disk
            self._tasks.start(
                lambda report: self.recovery.autosave(project, path, known),
                done=lambda _none: None if self._document.modified else self._forget(),
                failed=lambda message, _details: self.notified.emit(message),
            )

    # A method and not a function: Qt disconnects it when the receiver is destroyed.
    def _clean_changed(self, clean: bool) -> None:
        """What was undone is not to be recovered."""
        if clean and not self._document.modified:
            self._autosave.stop()
            self._forget()

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
            self._on_disk = newest.digest
            if newest.path is not None:
                self.lock.acquire(newest.path)
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
        self._document.undo.cleanChanged.disconnect(self._clean_changed)
        self.recovery.forget()
        self.lock.release()
