"""Projects in their files: readable, moved together with their media, whole or not there, found
again after a crash."""

import json
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import pytest
from vidtrans_gui.project import (
    Missing,
    Project,
    View,
    load_project,
    missing_media,
    relink,
    save_project,
)
from vidtrans_gui.recovery import RecentFiles, Recovery

from vidtrans.errors import InputError, OutputError, UsageError
from vidtrans.labels.edit import DeleteInstance, EditList, FirstFrame, RelabelClass


def touch(path: Path) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"")
    return str(path)


@pytest.fixture
def project(tmp_path):
    """A project that uses every field, and its media."""
    media = tmp_path / "film" / "media"
    look = touch(media / "look.png")
    return Project(
        input=touch(media / "labels.mkv"),
        instances=touch(media / "instances.mkv"),
        model=touch(media / "mine.safetensors"),
        labels=touch(media / "own.toml") + ":colours",
        device="cpu",
        precision="fp32",
        size_hw=(256, 512),
        fit="resize",
        scene_cuts=(12, 90),
        first_frame=(look,),
        rate=Fraction(30000, 1001),
        seed=4,
        edits=EditList(
            (RelabelClass("car", "truck", 3, 9), FirstFrame(look, 5), DeleteInstance(26001))
        ),
        view=View(playhead=17, in_point=3, compare="wipe"),
    )


def test_a_saved_project_is_read_back(project, tmp_path):
    path = save_project(project, tmp_path / "film" / "a.vidtrans")
    loaded = load_project(path)
    assert loaded.project == project
    assert loaded.path == path
    assert loaded.missing == ()
    assert loaded.ignored == ()


def test_people_can_read_the_file(project, tmp_path):
    data = json.loads(save_project(project, tmp_path / "film" / "a.vidtrans").read_text())
    assert next(iter(data)) == "version"
    assert data["input"] == "media/labels.mkv"
    assert data["labels"] == "media/own.toml:colours"
    assert data["size"] == "512x256"
    assert data["rate"] == "30000/1001"
    assert data["edits"][1] == {"kind": "first-frame", "picture": "media/look.png", "start": 5}
    assert json.loads(save_project(Project(), tmp_path / "b.vidtrans").read_text()) == {
        "version": 1
    }


def test_a_project_travels_with_its_media(project, tmp_path):
    save_project(project, tmp_path / "film" / "a.vidtrans")
    (tmp_path / "film").rename(tmp_path / "elsewhere")
    loaded = load_project(tmp_path / "elsewhere" / "a.vidtrans")
    assert loaded.missing == ()
    assert loaded.project.input == str(tmp_path / "elsewhere" / "media" / "labels.mkv")
    assert loaded.project.render.edits.edits[1].picture == str(
        tmp_path / "elsewhere" / "media" / "look.png"
    )


def test_a_model_beside_the_project_is_not_taken_for_a_name(tmp_path):
    folder = tmp_path / "street"
    folder.mkdir()
    saved = save_project(Project(model=str(folder)), tmp_path / "a.vidtrans")
    assert load_project(saved).project.render.model == str(folder)
    saved = save_project(Project(model="street"), tmp_path / "b.vidtrans")
    assert load_project(saved).project.render.model == "street"


def test_a_project_makes_the_settings_of_convert(project):
    settings = project.settings(output="out.mp4", codec="libx265")
    assert (settings.input, settings.output, settings.codec) == (
        project.input,
        "out.mp4",
        "libx265",
    )
    assert settings.render.edits == project.render.edits
    assert settings.render.scene_cuts == (12, 90)
    with pytest.raises(UsageError, match="no film"):
        Project().settings()
    with pytest.raises(UsageError, match="precision"):
        project.model_copy(update={"precision": "fp7"}).settings()


def test_a_newer_project_is_refused_and_left_alone(tmp_path):
    path = tmp_path / "a.vidtrans"
    path.write_text('{"version": 99, "input": "x"}')
    with pytest.raises(InputError, match="newer vidtrans") as caught:
        load_project(path)
    assert "99" in str(caught.value)
    assert path.read_text() == '{"version": 99, "input": "x"}'


def test_unknown_keys_are_named_and_left_out(tmp_path):
    path = tmp_path / "a.vidtrans"
    path.write_text('{"version": 1, "lables": "carla", "view": {"playhead": 3, "zoon": 2}}')
    loaded = load_project(path)
    assert loaded.project == Project(view=View(playhead=3))
    assert "lables" in loaded.ignored[0]
    assert "Did you mean labels" in loaded.ignored[0]
    assert "view.zoon" in loaded.ignored[1]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("{", "damaged"),
        ("[]", "not a project"),
        ('{"input": "x"}', "not a project"),
        ('{"version": 1, "scene_cuts": "sometimes"}', "scene_cuts"),
        ('{"version": 1, "size": "big"}', "size"),
        ('{"version": 1, "view": {"playhead": "early"}}', "view.playhead"),
        ('{"version": 1, "edits": [{"kind": "relabel-class"}]}', "edit 1"),
        ('{"version": 1, "input": 3}', "input"),
    ],
)
def test_a_damaged_project_is_refused_with_the_place(tmp_path, content, says):
    path = tmp_path / "a.vidtrans"
    path.write_text(content)
    with pytest.raises(InputError, match=says) as caught:
        load_project(path)
    assert "a.vidtrans" in str(caught.value)


def test_a_missing_project_is_a_sentence(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        load_project(tmp_path / "none.vidtrans")


def test_a_folder_that_is_not_there_is_a_sentence(project, tmp_path):
    with pytest.raises(OutputError, match="the project cannot be written"):
        save_project(project, tmp_path / "none" / "a.vidtrans")


def test_a_failed_save_leaves_the_old_file(project, tmp_path, monkeypatch):
    path = save_project(Project(), tmp_path / "a.vidtrans")
    before = path.read_bytes()

    def full(self, *args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(OutputError, match="no space left"):
        save_project(project, path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir() if p.is_file()] == ["a.vidtrans"]


def test_missing_media_are_all_told_and_found_together(project, tmp_path):
    path = save_project(project, tmp_path / "film" / "a.vidtrans")
    (tmp_path / "film" / "media").rename(tmp_path / "film" / "moved")
    loaded = load_project(path)
    fields = [(missing.field, missing.index) for missing in loaded.missing]
    assert fields == [
        ("input", 0),
        ("instances", 0),
        ("model", 0),
        ("labels", 0),
        ("first_frame", 0),
        ("edits", 1),
    ]
    linked = relink(loaded.project, loaded.missing[0], tmp_path / "film" / "moved" / "labels.mkv")
    assert missing_media(linked) == ()
    assert linked.render.labels.endswith("moved/own.toml:colours")


def test_relinking_follows_a_tree_that_moved(tmp_path):
    project = Project(
        input=str(tmp_path / "old" / "a" / "l.mkv"), instances=str(tmp_path / "old" / "b" / "i.mkv")
    )
    touch(tmp_path / "new" / "a" / "l.mkv")
    touch(tmp_path / "new" / "b" / "i.mkv")
    linked = relink(project, missing_media(project)[0], tmp_path / "new" / "a" / "l.mkv")
    assert linked.render.instances == str(tmp_path / "new" / "b" / "i.mkv")


def test_a_renamed_film_is_relinked_alone(tmp_path):
    project = Project(
        input=str(tmp_path / "gone.mkv"), instances=str(tmp_path / "also" / "gone.mkv")
    )
    linked = relink(project, Missing("input", tmp_path / "gone.mkv"), touch(tmp_path / "other.mkv"))
    assert linked.input == str(tmp_path / "other.mkv")
    assert [missing.field for missing in missing_media(linked)] == ["instances"]


def test_patterns_and_addresses_are_not_missing(tmp_path):
    assert missing_media(Project(input=str(tmp_path / "f_%04d.png"))) == ()
    assert missing_media(Project(input="rtsp://camera/labels")) == ()
    assert missing_media(Project(input=str(tmp_path / "none" / "*.png")))[0].field == "input"


def test_a_crashed_window_leaves_its_work_behind(project, tmp_path):
    save_project(project, tmp_path / "p.vidtrans")
    code = (
        "import os, sys; from vidtrans_gui.project import load_project; from vidtrans_gui.recovery"
        " import Recovery\nloaded = load_project(sys.argv[1]); r ="
        " Recovery(sys.argv[2])\nr.autosave(loaded.project.model_copy(update={'device': 'cuda'}),"
        " loaded.path); os.kill(os.getpid(), 9)"
    )
    subprocess.run(
        [sys.executable, "-c", code, tmp_path / "p.vidtrans", tmp_path / "state"],
        check=False,
        timeout=60,
    )
    mine = Recovery(tmp_path / "state")
    mine.autosave(Project(), None)
    (left,) = mine.left_behind()
    assert left.project == project.model_copy(update={"device": "cuda"})
    assert left.path == tmp_path / "p.vidtrans"
    mine.discard(left)
    assert mine.left_behind() == ()


def test_a_running_window_is_not_recovered(project, tmp_path):
    one, other = Recovery(tmp_path / "state"), Recovery(tmp_path / "state")
    one.autosave(project, None)
    assert other.left_behind() == ()
    one.forget()
    assert list((tmp_path / "state").iterdir()) == []


def test_a_damaged_copy_is_passed_over(tmp_path):
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "x.json").write_text('{"project": ')
    assert Recovery(tmp_path / "state").left_behind() == ()


def test_recent_files_are_newest_first_and_few(tmp_path):
    recent = RecentFiles(tmp_path / "deep" / "recent.json", limit=3)
    assert recent.paths() == ()
    for name in "abcab":
        recent.add(tmp_path / name)
    assert [path.name for path in recent.paths()] == ["b", "a", "c"]
    assert RecentFiles(tmp_path / "deep" / "recent.json").paths() == recent.paths()
    recent.remove(tmp_path / "a")
    assert [path.name for path in recent.paths()] == ["b", "c"]
    (tmp_path / "deep" / "recent.json").write_text("oops")
    assert recent.paths() == ()
    recent.clear()
