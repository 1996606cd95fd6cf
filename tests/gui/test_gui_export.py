"""Exports and models: the dialogs, the queue with a real conversion, and what is said about
them."""

import shlex
from fractions import Fraction
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QDialog, QMessageBox
from vidtrans_gui import library
from vidtrans_gui.export_dialog import ExportDialog, ExportedFilm, parse_options
from vidtrans_gui.export_queue import Job
from vidtrans_gui.export_store import ExportStore
from vidtrans_gui.model_dialog import ModelDialog
from vidtrans_gui.project import Project

from vidtrans.batches.plan import plan_batch
from vidtrans.errors import UsageError
from vidtrans.labels.edit import EditList, RelabelClass
from vidtrans.media.writer import parts_folder
from vidtrans.pipeline.convert import convert
from vidtrans.pipeline.settings import LAYERS, ConvertSettings


@pytest.fixture
def base(label_film, tiny_model):
    return ConvertSettings(
        input=str(label_film), output="x.mp4", model=str(tiny_model), device="cpu"
    )


@pytest.fixture
def dialog(qtbot, base, tmp_path):
    made = ExportDialog(base, str(tmp_path), "street")
    qtbot.addWidget(made)
    made.show()
    return made


def choose(box, value):
    box.setCurrentIndex(box.findData(value))


@pytest.mark.parametrize(
    ("preset", "name", "codec"),
    [
        ("h264", "street.mp4", "libx264"),
        ("prores", "street.mov", "prores_ks"),
        ("vp9", "street.webm", "libvpx-vp9"),
        ("png", "street", None),
        ("ffv1", "street.mkv", "ffv1"),
    ],
)
def test_presets(dialog, tmp_path, preset, name, codec):
    choose(dialog.preset, preset)
    settings = dialog.settings()
    assert settings.output == str(tmp_path / name)
    assert settings.codec == codec


def test_all_settings_of_convert(dialog, base):
    dialog.codec.setText("libx265")
    dialog.pixel_format.setText("yuv444p")
    dialog.options.setText("crf=20, preset=slow")
    dialog.size_field.setText("128x64")
    dialog.cuts.setText("5, 9")
    dialog.rate.setText("30000/1001")
    dialog.every.setValue(12)
    choose(dialog.fit, "resize")
    choose(dialog.precision, "bf16")
    choose(dialog.layer, "compare")
    choose(dialog.device, "cpu")
    dialog.overwrite.setChecked(True)
    dialog.resume.setChecked(True)
    assert dialog.settings() == ConvertSettings.read(
        **base.model_dump()
        | {
            "output": dialog.output.text(), "codec": "libx265", "pixel_format": "yuv444p",
            "encoder_options": {"crf": "20", "preset": "slow"}, "size_hw": (64, 128),
            "scene_cuts": (5, 9),
            "rate": "30000/1001", "snapshot_every": 12, "fit": "resize", "precision": "bf16",
            "layer": "compare",
            "overwrite": True, "resume": True, "audio_codec": "aac", "even_sides": True,
        }
    )  # fmt: skip


def test_own_options_add_to_those_of_the_preset(dialog):
    dialog.options.setText("crf=9")
    assert dialog.settings().encoder_options == {"crf": "9", "preset": "medium"}


@pytest.mark.parametrize(
    ("field", "text", "sentence"),
    [
        ("options", "crf", "name=value"),
        ("size_field", "big", "WIDTHxHEIGHT"),
        ("cuts", "now", "scene cuts"),
        ("rate", "fast", "frames a second"),
        ("output", "", "name"),
        ("output", "/no/such/folder/x.mp4", "does not exist"),
    ],
)
def test_nonsense_is_a_sentence_and_cannot_be_queued(dialog, field, text, sentence):
    getattr(dialog, field).setText(text)
    assert sentence in dialog.problem.text()
    assert not dialog.add.isEnabled()


def test_a_file_that_exists_is_not_replaced_unasked(dialog, tmp_path):
    (tmp_path / "street.mp4").touch()
    dialog._check()
    assert "exists already" in dialog.problem.text()
    dialog.overwrite.setChecked(True)
    assert dialog.add.isEnabled()


@pytest.fixture
def of_film(qtbot, base, tmp_path):
    """``of_film(...)``: the dialog of a film, 45x31, of which frames 3 to 8 are between in and
    out."""

    def make(**values):
        film = ExportedFilm((31, 45), Fraction(25), Fraction(1, 25), 12, (3, 9))
        made = ExportDialog(base, str(tmp_path), "street", film=film, **values)
        qtbot.addWidget(made)
        return made

    return make


@pytest.mark.parametrize("preset", ["h264", "prores", "vp9", "png", "ffv1"])
def test_presets_suit_odd_sizes(of_film, preset):
    dialog = of_film()
    choose(dialog.preset, preset)
    assert dialog.problem.text() == ""
    assert dialog.add.isEnabled()


@pytest.mark.parametrize(
    ("preset", "field", "text", "sentence"),
    [
        ("h264", "output", "street.gif", "has no suffix of a film"),
        ("h264", "output", "street", "a folder holds PNGs"),
        ("h264", "output", "street.webm", "a webm file cannot hold what libx264 makes"),
        ("h264", "codec", "libx999", "there is no encoder"),
        ("ffv1", "pixel_format", "nv12", "does not take the pixel format"),
        ("h264", "options", "preset=no", "refuses"),
        ("h264", "sound", "mp5", "is no encoder of sound"),
        ("vp9", "sound", "aac", "a webm file does not hold sound"),
    ],
)
def test_what_would_fail_later_is_told_in_the_dialog(
    of_film, tmp_path, preset, field, text, sentence
):
    dialog = of_film()
    choose(dialog.preset, preset)
    getattr(dialog, field).setText(str(tmp_path / text) if field == "output" else text)
    assert sentence in dialog.problem.text()
    assert not dialog.add.isEnabled()


def test_in_to_out_is_exported_and_copied(of_film):
    dialog = of_film()
    assert dialog.range.currentText() == "whole film, 12 frames"
    assert (dialog.settings().start, dialog.settings().end) == (None, None)
    choose(dialog.range, "range")
    assert dialog.range.currentText() == "from in to out: 3 to 8, 6 frames"
    assert (dialog.settings().start, dialog.settings().end) == (3, 9)
    dialog._copy()
    assert "--from 3 --to 9" in QApplication.clipboard().text()


def test_a_film_that_an_export_writes_is_not_called_unfinished(of_film, tmp_path):
    parts_folder(tmp_path / "street.mp4").mkdir()
    dialog = of_film(writing=[tmp_path / "street.mp4"])
    assert "is written by another export in the list" in dialog.problem.text()
    assert not dialog.add.isEnabled()


def test_dialogs_start_beside_the_film(opened, label_film, tmp_path, monkeypatch):
    monkeypatch.setattr(
        "vidtrans_gui.preferences.QStandardPaths.writableLocation", lambda _: "/no/Videos"
    )
    for purpose in ("export", "project", "picture", "palette"):
        assert opened.preferences.folder(purpose) == str(label_film.parent)
    (tmp_path / "other").mkdir()
    opened.preferences.remember_folder("export", tmp_path / "other" / "x.mp4")
    assert opened.preferences.folder("export") == str(tmp_path / "other")
    opened.actions_["export"].trigger()
    dialog = next(found for found in opened.findChildren(ExportDialog) if found.isVisible())
    assert dialog.output.text() == str(tmp_path / "other" / "labels-street.mp4")
    assert dialog.add.isEnabled()
    dialog.reject()
    opened.document.load(Project(), None)
    assert opened.preferences.folder("project") == str(Path.home()), "without ~/Videos"


def test_the_copied_command_says_the_range(opened):
    opened.exporting.copy_command()
    assert "--from" not in QApplication.clipboard().text()
    opened.navigation.set_range(10, 20)
    opened.exporting.copy_command()
    assert "--from 10 --to 20" in QApplication.clipboard().text()


def test_a_still_is_the_frame_that_is_exported(opened, qtbot, tmp_path, tiny_model, decoded):
    opened.choices.use_model(str(tiny_model))
    opened.exporting.save_still(tmp_path / "still", 5)
    qtbot.waitUntil(lambda: (tmp_path / "still.png").exists())
    qtbot.waitUntil(lambda: not opened.tasks.busy)
    settings = opened.document.project.settings(output=f"{tmp_path}/pngs/")
    convert(settings)
    assert (tmp_path / "still.png").read_bytes() == (tmp_path / "pngs" / "000005.png").read_bytes()


def test_an_interrupted_export_is_gone_on_with_or_replaced(dialog, tmp_path):
    parts_folder(tmp_path / "street.mp4").mkdir()
    dialog._check()
    assert "unfinished" in dialog.problem.text()
    assert not dialog.add.isEnabled()
    dialog.resume.setChecked(True)
    assert dialog.add.isEnabled()
    assert dialog.settings().resume


def test_layers_are_called_as_in_the_viewer(dialog):
    names = {
        dialog.layer.itemData(place): dialog.layer.itemText(place)
        for place in range(dialog.layer.count())
    }
    assert tuple(names) == LAYERS
    assert names["final"] == "Result"


def test_encoder_options():
    assert parse_options("a=1, b = x=2\nc=3,") == {"a": "1", "b": "x=2", "c": "3"}
    with pytest.raises(UsageError):
        parse_options("a=")


def test_the_command_line_is_copied(dialog, tmp_path):
    dialog._copy()
    words = shlex.split(QApplication.clipboard().text())
    assert words[:2] == ["vidtrans", "convert"]
    assert words[-1] == str(tmp_path / "street.mp4")


# -- the queue in the window -----------------------------------------------------------------------


def test_an_export_from_dialog_to_file(opened, qtbot, tmp_path, tiny_model, decoded, monkeypatch):
    opened.preferences.remember_folder("export", tmp_path / "x")
    opened.choices.use_model(str(tiny_model))
    opened.editing.add(RelabelClass("car", "bus"))
    qtbot.waitUntil(opened.actions_["export"].isEnabled)
    opened.actions_["export"].trigger()
    dialog = next(found for found in opened.findChildren(ExportDialog) if found.isVisible())
    choose(dialog.preset, "ffv1")
    ended = []
    opened.exporting.ended.connect(ended.append)
    dialog.add.click()
    assert opened.docks["exports"].isVisible()
    qtbot.waitUntil(lambda: bool(ended))
    (job,) = ended
    assert job.state == "done", job.message
    assert job.output == tmp_path / "labels-street.mkv"
    assert decoded(job.output).shape == (12, 32, 64, 3)
    assert job.settings.render.edits == EditList((RelabelClass("car", "bus"),))

    row = opened.queue_panel.rows[job.id]
    assert "12 frames" in row.status.text()
    revealed = []
    monkeypatch.setattr("vidtrans_gui.export_controller.reveal", revealed.append)
    row.findChild(object, "reveal").click()
    assert revealed == [job.output]
    row.findChild(object, "copy").click()
    assert "--relabel car=bus" in QApplication.clipboard().text()
    row.findChild(object, "remove").click()
    assert not opened.queue_panel.rows


def test_a_failed_export_says_why_and_the_next_one_goes_on(opened, qtbot, tmp_path, tiny_model):
    opened.choices.use_model(str(tiny_model))
    settings = opened.document.project.settings(
        output=str(tmp_path / "a.mkv"), codec="no_such_encoder"
    )
    bad = opened.exporting.add(settings)
    good = opened.exporting.add(
        settings.model_copy(update={"codec": "ffv1", "output": str(tmp_path / "b.mkv")})
    )
    qtbot.waitUntil(lambda: all(job.ended for job in opened.exporting.queue.jobs()))
    states = {job.id: job.state for job in opened.exporting.queue.jobs()}
    assert states == {bad.id: "failed", good.id: "done"}
    qtbot.waitUntil(lambda: "no_such_encoder" in opened.queue_panel.rows[bad.id].status.text())
    opened.exporting.handle_request("details", bad.id)
    box = next(
        found
        for found in opened.findChildren(QDialog)
        if hasattr(found, "message") and found.isVisible()
    )
    assert "no_such_encoder" in box.message
    box.accept()


def test_jobs_are_paused_and_cancelled_from_their_rows(opened, tmp_path, qtbot, tiny_model):
    opened.choices.use_model(str(tiny_model))
    settings = opened.document.project.settings(output=str(tmp_path / "a.mkv"), codec="ffv1")
    opened.exporting.queue.close()  # nothing runs, so that states stand still
    job = opened.exporting.add(settings)
    row = opened.queue_panel.rows[job.id]
    assert row.status.text() == "waiting"
    row.findChild(object, "pause").click()
    assert "paused" in row.status.text()
    row.findChild(object, "resume").click()
    assert row.status.text() == "waiting"
    row.findChild(object, "cancel").click()
    assert row.status.text() == "cancelled"
    row.findChild(object, "retry").click()
    assert row.status.text() == "waiting"


def test_quitting_while_an_export_waits_asks_first(opened, tmp_path, tiny_model):
    from PySide6.QtWidgets import QMessageBox

    opened.document.load(opened.document.project, None)  # nothing unsaved
    opened.exporting.queue.close()
    opened.exporting.add(opened.document.project.settings(output=str(tmp_path / "a.mkv")))
    opened.close()
    box = next(found for found in opened.findChildren(QMessageBox) if found.isVisible())
    assert "go on" in box.text()
    box.button(QMessageBox.StandardButton.NoButton)
    box.escapeButton().click()
    assert opened.isVisible()


# -- a list of exports -----------------------------------------------------------------------------


@pytest.fixture
def idle(opened, tmp_path, tiny_model):
    """``idle(name, ...)``: adds an export to a queue that does not run."""
    opened.document.load(opened.document.project, None)  # nothing unsaved
    opened.exporting.queue.close()

    def add(name, **values):
        return opened.exporting.add(
            opened.document.project.settings(
                output=str(tmp_path / name), model=str(tiny_model), **values
            )
        )

    return add


def order(window):
    rows = window.queue_panel.rows
    jobs = window.exporting.queue.jobs()
    places = [window.queue_panel._list.indexOf(rows[job.id]) for job in jobs]
    assert places == sorted(places)
    return [job.output.name for job in jobs]


def test_waiting_exports_are_put_in_another_order(opened, idle):
    jobs = [idle(name) for name in ("a.mp4", "b.mp4", "c.mp4")]
    rows = opened.queue_panel.rows
    rows[jobs[2].id].findChild(object, "up").click()
    assert order(opened) == ["a.mp4", "c.mp4", "b.mp4"]
    rows[jobs[0].id].findChild(object, "down").click()
    assert order(opened) == ["c.mp4", "a.mp4", "b.mp4"]
    rows[jobs[2].id].findChild(object, "up").click()
    assert order(opened) == ["c.mp4", "a.mp4", "b.mp4"], "it is the first"
    assert opened.exporting.queue._next().output.name == "c.mp4"


def test_a_waiting_export_gets_other_settings(opened, idle):
    job = idle("a.mp4", seed=4, codec="ffv1", pixel_format="bgr0")
    opened.queue_panel.rows[job.id].findChild(object, "settings").click()
    dialog = next(found for found in opened.findChildren(ExportDialog) if found.isVisible())
    assert dialog.preset.currentData() == "ffv1"
    assert dialog.output.text() == job.settings.output
    choose(dialog.preset, "prores")
    dialog.add.click()
    changed = opened.exporting.queue.jobs()[0].settings
    assert (changed.codec, changed.render.seed) == ("prores_ks", 4)
    assert changed.output.endswith("a.mov")


def test_the_list_is_a_manifest_of_batch(opened, idle, tmp_path, label_film):
    (tmp_path / "deep").mkdir()
    idle("a.mp4", edits=EditList((RelabelClass("car", "bus"),)), start=2, end=9, audio_codec="aac")
    idle("deep/pngs/", encoder_options={}, seed=3, allow_gaps=True)
    opened.queue_panel.manifest.click()
    text = QApplication.clipboard().text()
    assert f"vidtrans batch FILE.jsonl {tmp_path}" in opened.status.currentMessage()
    (tmp_path / "jobs.jsonl").write_text(text)
    plan = plan_batch([str(tmp_path / "jobs.jsonl")], str(tmp_path))
    assert [job.name for job in plan.jobs] == ["a.mp4", "deep/pngs/"]
    queued = [job.settings for job in opened.exporting.queue.jobs()]
    made = [job.settings(one.output) for job, one in zip(plan.jobs, queued, strict=True)]
    assert made == queued


def test_several_films_are_added_each_with_its_own_settings(opened, idle, tmp_path, label_film):
    other = tmp_path / "other.mkv"
    other.write_bytes(label_film.read_bytes())
    dialog = opened.exporting.add_films([str(label_film), str(other)])
    assert [Path(each.output).name for each in dialog.exports] == [
        "labels-street.mp4",
        "other-street.mp4",
    ]
    dialog.list.setCurrentRow(1)
    settings = dialog.open_settings()
    choose(settings.preset, "ffv1")
    settings.size_field.setText("32x16")
    settings.add.click()
    dialog.add.click()
    one, two = [job.settings for job in opened.exporting.queue.jobs()]
    assert (one.codec, one.audio_codec, one.render.size_hw) == ("libx264", "aac", None)
    assert (two.codec, two.render.size_hw, two.input) == ("ffv1", (16, 32), str(other))


def test_films_of_one_name_are_not_written_over_one_another(opened, idle, tmp_path, label_film):
    dialog = opened.exporting.add_films([str(label_film), str(label_film)])
    assert dialog.problem.text() == "Two exports write labels-street.mp4."
    assert not dialog.add.isEnabled()
    dialog.remove.click()
    assert dialog.add.isEnabled()
    dialog.reject()


@pytest.mark.parametrize("choice", ["Go on", "List them only", "Forget them"])
def test_exports_of_a_window_that_ended_are_offered(
    opened, qtbot, tmp_path, tiny_model, decoded, choice
):
    opened.choices.use_model(str(tiny_model))
    qtbot.waitUntil(lambda: opened.session.film is not None)
    project = opened.document.project
    wanted = [
        project.settings(output=str(tmp_path / name), codec="ffv1") for name in ("a.mkv", "b.mkv")
    ]
    lost = ExportStore(tmp_path / "state" / "exports")
    lost.save([Job(n, settings) for n, settings in enumerate(wanted)])
    assert ExportStore(tmp_path / "state" / "exports").left_behind() == (), "that window runs"
    lost.release()  # its process is gone
    opened.exporting.offer_left()
    boxes = opened.findChildren
    qtbot.waitUntil(lambda: any(box.isVisible() for box in boxes(QMessageBox)))
    box = next(box for box in boxes(QMessageBox) if box.isVisible())
    assert "a.mkv\nb.mkv" in box.text()
    next(button for button in box.buttons() if button.text() == choice).click()
    qtbot.waitUntil(lambda: not opened.tasks.busy)
    jobs = opened.exporting.queue.jobs()
    if choice == "Forget them":
        assert not jobs
    else:
        assert [job.settings for job in jobs] == wanted
    if choice == "List them only":
        assert {job.state for job in jobs} == {"paused"}
    if choice == "Go on":
        qtbot.waitUntil(lambda: all(job.ended for job in opened.exporting.queue.jobs()))
        assert decoded(tmp_path / "b.mkv").shape == (12, 32, 64, 3)
    lists = list((tmp_path / "state" / "exports").glob("*.json"))
    assert all(path != lost._file for path in lists)


def test_the_list_outlives_the_window_and_what_is_done_leaves_it(opened, idle, qtbot, tmp_path):
    idle("a.mp4", scene_cuts=(3, 7))
    folder = tmp_path / "state" / "exports"
    qtbot.waitUntil(lambda: bool(list(folder.glob("*.json"))))
    opened.shut_down()
    (left,) = ExportStore(folder).left_behind()
    assert left.exports[0].output == str(tmp_path / "a.mp4")
    assert left.exports[0].render.scene_cuts == (3, 7)
    store = ExportStore(folder)
    store.discard(left)
    assert store.left_behind() == ()


@pytest.mark.parametrize("text", ["no json", "[]", '{"exports": 3}', '{"exports": [{"row": 1}]}'])
def test_a_damaged_list_is_no_list(tmp_path, text):
    (tmp_path / "x.json").write_text(text)
    assert ExportStore(tmp_path).left_behind() == ()


# -- models ----------------------------------------------------------------------------------------


@pytest.fixture
def models(tmp_path, monkeypatch):
    folder = tmp_path / "models"
    monkeypatch.setenv("VIDTRANS_MODELS", str(folder))
    return folder


def test_a_model_file_is_added_used_and_removed(window, qtbot, models, tiny_model):
    window.choices.open_models()
    dialog = next(found for found in window.findChildren(QDialog) if found.isVisible())
    dialog.add_file(str(tiny_model))
    qtbot.waitUntil(
        lambda: not window.tasks.busy and "tiny" in dialog.card.text() + dialog.title.text()
    )
    qtbot.waitUntil(lambda: "million" in dialog.card.text())
    assert dialog.title.text() == "tiny"
    assert (models / "tiny.safetensors").read_bytes() == tiny_model.read_bytes()
    qtbot.waitUntil(lambda: window.render_bar.model.findData(str(models / "tiny.safetensors")) >= 0)
    dialog.use.click()
    assert window.document.project.render.model == str(models / "tiny.safetensors")
    assert window.preferences.get("model") == str(models / "tiny.safetensors")

    window.choices.open_models()
    dialog = next(found for found in window.findChildren(QDialog) if found.isVisible())
    qtbot.waitUntil(lambda: dialog._entry_name() == "tiny")
    assert not dialog.remove.isEnabled(), "it is in use"
    dialog._current = "street"
    dialog._show_card()
    dialog.remove.click()
    box = next(found for found in dialog.findChildren(QMessageBox) if found.isVisible())
    assert box.defaultButton() is box.button(QMessageBox.StandardButton.Cancel)
    qtbot.keyClick(box, Qt.Key.Key_Return)
    assert (models / "tiny.safetensors").exists(), "Enter does not delete"
    dialog.remove_file(dialog._entry())
    qtbot.waitUntil(lambda: not window.tasks.busy)
    assert not (models / "tiny.safetensors").exists()
    dialog.reject()


def test_published_checkpoints_are_imported_with_progress(
    window, qtbot, models, tmp_path, published_networks
):
    from vidtrans.model import Bundle, write_folder

    folder = tmp_path / "mine"
    networks = published_networks()
    write_folder(folder, Bundle(networks.card, networks.tensors()))
    told = []
    window.files.open(str(folder))
    dialog = next(found for found in window.findChildren(QDialog) if found.isVisible())
    dialog.progress.valueChanged.connect(told.append)
    qtbot.waitUntil(lambda: not window.tasks.busy and (models / "mine.safetensors").exists())
    assert max(told) == 1000
    qtbot.waitUntil(lambda: "vid2vid" in dialog.card.text())
    dialog.reject()


def test_an_import_goes_on_when_its_dialog_is_closed(window, qtbot, models, tiny_model, tmp_path):
    dialog = window.choices.open_models()
    dialog.add_file(str(tiny_model))
    dialog.reject()
    qtbot.waitUntil(lambda: window.render_bar.model.findData(str(models / "tiny.safetensors")) >= 0)
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(b"not a model")
    dialog = window.choices.open_models()
    dialog.add_file(str(broken))
    dialog.reject()
    qtbot.waitUntil(lambda: any(hasattr(found, "message") for found in window.children()))
    box = next(found for found in window.children() if hasattr(found, "message"))
    assert "broken.safetensors" in box.message
    box.accept()
    qtbot.waitUntil(lambda: not window.findChildren(ModelDialog))


def test_a_broken_model_is_refused_with_a_sentence(window, qtbot, models, tmp_path):
    broken = tmp_path / "broken.safetensors"
    broken.write_bytes(b"not a model")
    window.choices.open_models()
    dialog = next(found for found in window.findChildren(QDialog) if found.isVisible())
    dialog.add_file(str(broken))
    qtbot.waitUntil(lambda: any(hasattr(found, "message") for found in dialog.children()))
    box = next(found for found in dialog.children() if hasattr(found, "message"))
    assert "broken.safetensors" in box.message
    assert not models.exists() or not list(models.iterdir())
    box.accept()
    dialog.reject()


def test_devices_say_why_they_cannot_be_used():
    found = {name: problem for name, _, problem in library.devices()}
    assert found["auto"] == found["cpu"] == ""
    assert len(found) > 2
