"""Every error that a user can meet, each with the exit code of the commands.

An error is one clear sentence: what failed, where (file, frame), what was found, what was expected,
what to do. Exit codes: 0 done, 2 wrong usage, 3 unreadable or invalid input, 4 unusable model, 5
output cannot be written, 6 some jobs of a batch failed, 130 interrupted, 141 the reader of standard
output has closed it.

What to do often names a setting. The command line calls it ``--overwrite``, the editor by the label
of a checkbox, Python ``overwrite=True``. A ``Remedy`` names the setting itself, and each interface
passes the function that words it to ``VidtransError.sentence``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from os import PathLike, fspath
from string import Formatter

WordSetting = Callable[[str, str | None], str]
"""How an interface names a setting: (field name of the settings, suggested value or None) to
words."""

_SWITCHES = frozenset({"allow_gaps", "even_sides", "overwrite", "resume", "skip_damaged"})


def python_words(setting: str, value: str | None = None) -> str:
    """A setting as an argument in Python: ``size_hw``, ``labels="carla:ids"``, ``resume=True``.

    Args:
        setting: The field's name in the settings.
        value: The value that a remedy suggests; None where it suggests none.
    """
    if value is not None:
        return f'{setting}="{value}"'
    return f"{setting}=True" if setting in _SWITCHES else setting


@dataclass(frozen=True, slots=True)
class Remedy:
    """What to do about an error, in a sentence that names settings by their field names.

    Args:
        text: A format string. A replacement field is a setting, and its format specification, if
            there is one, is the value that the sentence suggests.
        values: Text that is only known at run time, by the name it has in ``text``.

    Example:
        >>> Remedy("Try {precision:bf16} or a smaller {size_hw}.").sentence()
        'Try precision="bf16" or a smaller size_hw.'
        >>> Remedy("Ids are read with {labels:{scheme}:ids}.", {"scheme": "carla"}).sentence()
        'Ids are read with labels="carla:ids".'
    """

    text: str
    values: Mapping[str, str] = field(default_factory=dict)

    @property
    def settings(self) -> frozenset[str]:
        """The field names of the settings that the sentence names."""
        named = {name for _, name, _, _ in Formatter().parse(self.text) if name}
        return frozenset(named - self.values.keys())

    def sentence(self, word: WordSetting = python_words) -> str:
        """The sentence, with each setting worded by ``word``."""
        worded = {name: _Worded(name, word) for name in self.settings}
        return self.text.format_map({**self.values, **worded})


@dataclass(frozen=True, slots=True)
class _Worded:
    """A setting in a format string; the format specification is its suggested value."""

    name: str
    word: WordSetting

    def __format__(self, value: str) -> str:
        return self.word(self.name, value or None)


class Note(str):
    """A sentence for people about a run, as ``on_warning`` and ``remarks`` give it, that names
    settings.

    As a text it names them as Python does.

    Args:
        text: What is to be said.
        remedy: What to do, where that names settings.

    Example:
        >>> note = Note("The film holds 2 video streams.", Remedy("{stream} chooses another."))
        >>> str(note)
        'The film holds 2 video streams. stream chooses another.'
        >>> worded(note, lambda setting, value: f"--{setting}")
        'The film holds 2 video streams. --stream chooses another.'
    """

    text: str
    remedy: Remedy

    def __new__(cls, text: str, remedy: Remedy) -> Note:
        return super().__new__(cls, f"{text} {remedy.sentence()}")

    def __init__(self, text: str, remedy: Remedy) -> None:
        self.text, self.remedy = text, remedy

    def __getnewargs__(self) -> tuple[str, Remedy]:  # type: ignore[override]
        return self.text, self.remedy


def worded(sentence: str, word: WordSetting) -> str:
    """A sentence for people, with the settings that a ``Note`` names worded by ``word``."""
    if isinstance(sentence, Note):
        return f"{sentence.text} {sentence.remedy.sentence(word)}"
    return sentence


class VidtransError(Exception):
    """Base of all errors that a user can put right.

    Args:
        message: What failed, what was found, what was expected.
        where: The file that the error is about.
        frame: The 0-based frame that the error is about.
        hint: What to do, where that names no setting.
        remedy: What to do, where that names settings.

    ``where`` and ``frame`` precede the message; ``hint`` and the remedies follow it.
    ``str(error)`` names settings as Python does; ``sentence`` as another interface does.
    """

    exit_code = 1

    def __init__(
        self,
        message: str,
        *,
        where: str | PathLike[str] | None = None,
        frame: int | None = None,
        hint: str | None = None,
        remedy: Remedy | None = None,
    ) -> None:
        self.message = message
        self.where = None if where is None else fspath(where)
        self.frame = frame
        self.hint = hint
        self.remedies: tuple[Remedy, ...] = () if remedy is None else (remedy,)
        self.kept_frames = 0
        """Finished frames of the run that failed or was interrupted; ``resume`` goes on after
        them."""
        self.kept_run: str | None = None
        """The identifier of the run that keeps them."""
        super().__init__(message)

    def add_remedy(self, remedy: Remedy) -> None:
        """Append to what the sentence says to do."""
        self.remedies = (*self.remedies, remedy)

    @property
    def description(self) -> str:
        """The sentence without the remedies."""
        location = [
            part
            for part in (self.where, None if self.frame is None else f"frame {self.frame}")
            if part is not None
        ]
        text = f"{', '.join(location)}: {self.message}" if location else self.message
        return f"{text} {self.hint}" if self.hint else text

    def sentence(self, word: WordSetting = python_words) -> str:
        """The whole error as a sentence.

        Args:
            word: How the interface names a setting; default: as an argument in Python.
        """
        return " ".join([self.description, *(remedy.sentence(word) for remedy in self.remedies)])

    def __str__(self) -> str:
        return self.sentence()


class UsageError(VidtransError, ValueError):
    """Wrong usage: an option, a value or a combination that makes no sense."""

    exit_code = 2


class InputError(VidtransError, ValueError):
    """The input is missing, unreadable, truncated or not what it should be."""

    exit_code = 3


class ModelError(VidtransError, ValueError):
    """The model file cannot be used: truncated, of another system, misshapen, unsafe."""

    exit_code = 4


class OutputError(VidtransError, OSError):
    """The output cannot be written: no space, no permission, no such encoder, exists already."""

    exit_code = 5


class JobsFailed(VidtransError):
    """A batch has ended, and some of its jobs failed; the others are done."""

    exit_code = 6


class Interrupted(VidtransError):
    """The user stopped the run, for example with Ctrl-C; finished frames are kept."""

    exit_code = 130


class ReaderGone(VidtransError):
    """The reader of standard output has closed it."""

    exit_code = 141
