"""Errors: the sentence, the settings that a remedy names, and that the engine names no option."""

import ast
import pickle
import re
from pathlib import Path

import pytest

import vidtrans
from vidtrans.errors import InputError, Note, OutputError, Remedy, VidtransError, worded
from vidtrans.model.options import IMPORT_OPTIONS
from vidtrans.pipeline.settings import ConvertSettings

ENGINE = Path(vidtrans.__file__).parent


def shouted(setting, value=None):
    return setting.upper() + (f"<{value}>" if value is not None else "")


def test_a_remedy_names_settings_in_the_words_of_an_interface():
    remedy = Remedy("Try {precision:bf16}, a smaller {size_hw} or {overwrite}.")
    assert remedy.settings == {"precision", "size_hw", "overwrite"}
    assert remedy.sentence() == 'Try precision="bf16", a smaller size_hw or overwrite=True.'
    assert remedy.sentence(shouted) == "Try PRECISION<bf16>, a smaller SIZE_HW or OVERWRITE."


@pytest.mark.parametrize("name", ["carla", "{labels}", "{", "a:b}", "{0!r}"])
def test_a_value_that_is_known_at_run_time_is_never_read_as_a_format(name):
    remedy = Remedy("Ids: {labels:{scheme}:ids}, not {scheme}.", {"scheme": name})
    assert remedy.settings == {"labels"}
    assert remedy.sentence(shouted) == f"Ids: LABELS<{name}:ids>, not {name}."


def test_an_error_is_one_sentence_with_place_hint_and_remedies():
    error = OutputError(
        "is there.", where="a.mp4", frame=3, hint="Look.", remedy=Remedy("Give {overwrite}.")
    )
    error.add_remedy(Remedy("{frames} are kept; {resume} goes on.", {"frames": "7"}))
    assert error.description == "a.mp4, frame 3: is there. Look."
    assert (
        str(error) == f"{error.description} Give overwrite=True. 7 are kept; resume=True goes on."
    )
    assert error.sentence(shouted).endswith("Give OVERWRITE. 7 are kept; RESUME goes on.")
    assert str(InputError("is cut off.")) == "is cut off."
    assert isinstance(error, VidtransError)
    assert isinstance(error, OSError)


def engine_modules():
    for path in sorted(ENGINE.rglob("*.py")):
        if "cli" not in path.relative_to(ENGINE).parts:
            yield path, ast.parse(path.read_text(encoding="utf-8"))


def docstrings(tree):
    """Every string that is a statement of its own."""
    return {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }


def test_the_engine_names_no_option():
    found, read = [], 0
    for path, tree in engine_modules():
        documentation = docstrings(tree)
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                read += 1
                if id(node) not in documentation and re.search(r"(^|\W)--[a-z]", node.value):
                    found.append(f"{path.relative_to(ENGINE)}:{node.lineno}: {node.value!r}")
    assert read > 1000
    assert not found, "\n".join(found)


def test_every_remedy_of_the_engine_is_a_constant_that_names_settings(remedied_settings):
    assert remedied_settings >= {"labels", "instances", "size_hw", "overwrite", "resume", "codec"}
    assert remedied_settings <= {*ConvertSettings.names(), *IMPORT_OPTIONS}


def _kinds(kind):
    return {kind}.union(*map(_kinds, kind.__subclasses__()))


def test_errors_reach_another_process():
    """Workers send theirs: an error that cannot be made of its message alone would be another."""
    import vidtrans.media.damage
    import vidtrans.pipeline.runfolder  # its kinds of errors

    kinds = _kinds(VidtransError)
    assert vidtrans.media.damage.DamageError in kinds
    for kind in kinds:
        error = kind("is damaged.")
        error.where, error.frame = "labels.mkv", 7
        again = pickle.loads(pickle.dumps(error))
        assert (type(again), str(again)) == (kind, str(error))


def test_a_note_names_settings_as_each_interface_does():
    note = Note("9 of 9 frames begin a new scene.", Remedy("See {scene_cuts:none}."))
    assert note == str(note) == '9 of 9 frames begin a new scene. See scene_cuts="none".'
    again = pickle.loads(pickle.dumps(note))
    for each in (note, again):
        assert worded(each, lambda setting, value: f"<{setting} {value}>") == (
            "9 of 9 frames begin a new scene. See <scene_cuts none>."
        )
    assert worded("plain {text}", lambda setting, value: "") == "plain {text}"
