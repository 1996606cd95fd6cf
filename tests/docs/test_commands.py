"""Commands in shell blocks, and options that pages name: they exist."""

import functools
import importlib
import importlib.util
import re
import shlex
import tomllib
from pathlib import Path

import pytest
import typer

ROOT = Path(__file__).parents[2]
PAGES = sorted({*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("[!.]*/README.md")})
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
BLOCK = re.compile(r"^( *)```(?:sh|console)\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
RULE = re.compile(r"^([a-z-]+):", re.MULTILINE)


APPS = {
    "vidtrans": "vidtrans.cli.app",
    "vidtrans-filter": "vidtrans_ffmpeg.cli",
    "vidtrans-train": "vidtrans_training.cli",
    "vidtrans-world": "vidtrans_world.cli",
}


@functools.cache
def click_command(program):
    return typer.main.get_command(importlib.import_module(APPS[program]).app)


def shell_lines(text):
    """The commands of the shell blocks of a page, as lists of words; a pipe divides commands."""
    for block in BLOCK.finditer(text):
        for line in block[2].replace("\\\n", " ").splitlines():
            lexer = shlex.shlex(line, posix=True, punctuation_chars="|&;<>")
            lexer.whitespace_split = True
            words = []
            for word in lexer:
                if set(word) <= set("|&;"):
                    yield words
                    words = []
                else:
                    words.append(word)
            if words:
                yield words


def problem(words):
    """What is wrong with a command of a page, None where nothing is or it is not ours."""
    while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
        words = words[1:]
    if not words:
        return None
    program, words = words[0].removeprefix(".venv/bin/"), words[1:]
    if program in APPS:
        return click_problem(click_command(program), program, words)
    if program == "make":
        rules = {*RULE.findall((ROOT / "Makefile").read_text(encoding="utf-8"))}
        missing = [word for word in words if word not in rules]
        return f"the Makefile has no {missing}" if missing else None
    if program in ("pip", "python") and "install" in words:
        extras = [e for word in words for e in re.findall(r"[\w.]\[([\w,-]+)\]", word)]
        known = PROJECT["optional-dependencies"]
        missing = [e for many in extras for e in many.split(",") if e not in known]
        return f"there are no extras {missing}" if missing else None
    if program == "python" and words[:1] == ["-m"]:
        return None if importlib.util.find_spec(words[1]) else f"there is no module {words[1]}"
    if program == "python" and words and words[0].endswith(".py"):
        return None if (ROOT / words[0]).is_file() else f"there is no {words[0]}"
    return None


def click_problem(command, path, words):
    """The same for a command of this project: unknown subcommands and options."""
    while subcommands := getattr(command, "commands", None):
        default = getattr(command, "default_command", None)  # need not be named
        if default and (not words or words[0] not in subcommands):
            command = subcommands[default]
            break
        if not words or words[0].startswith("-"):
            break
        if words[0] not in subcommands:
            return f"{path} has no subcommand {words[0]!r}"
        command, path, words = subcommands[words[0]], f"{path} {words[0]}", words[1:]
    known = {"--help", "-h", *(o for p in command.params for o in (*p.opts, *p.secondary_opts))}
    given = [word.partition("=")[0] for word in words if re.match(r"--?[a-zA-Z]", word)]
    missing = [option for option in given if option not in known]
    return f"{path} has no option {missing}" if missing else None


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_commands_of_a_page(page):
    found = [
        (" ".join(words), wrong)
        for words in shell_lines(page.read_text(encoding="utf-8"))
        if (wrong := problem(words))
    ]
    assert found == []


def every_option(command):
    subcommands = getattr(command, "commands", {})
    return {
        *(option for parameter in command.params for option in parameter.opts),
        *(option for sub in subcommands.values() for option in every_option(sub)),
    }


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_options_in_the_text_of_a_page(page):
    known = {option for program in APPS for option in every_option(click_command(program))}
    text = BLOCK.sub("", page.read_text(encoding="utf-8"))
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", text))
    assert named <= known


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ("vidtrans convert a b --no-such-option 3", "no option"),
        ("ffmpeg -i a - | vidtrans-filter --rote 3", "no option"),
        ("vidtrans no-such-command", "no subcommand"),
        ("vidtrans models no-such-command", "no subcommand"),
        ("make no-such-target", "Makefile"),
        ("pip install '.[no-such-extra]'", "extras"),
        ("python -m no_such_module", "module"),
        ("python scripts/no_such.py", "no_such.py"),
    ],
)
def test_mistakes_are_seen(line, wrong):
    (found,) = filter(None, map(problem, shell_lines(f"```sh\n{line}\n```")))
    assert wrong in found


def test_every_command_is_known():
    assert {*APPS} == {*PROJECT["scripts"]}
