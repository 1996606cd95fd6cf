"""Settings as the command line calls them: what errors of the engine name, and what a command's
text is read as."""

from __future__ import annotations

from vidtrans.errors import UsageError
from vidtrans.pipeline.options import option_of
from vidtrans.pipeline.settings import ConvertSettings, parse_size


def option_words(setting: str, value: str | None = None) -> str:
    """A setting as its option: ``--size``, ``--labels carla:ids``.

    Args:
        setting: The field's name in the settings.
        value: The value that a remedy suggests; None where it suggests none.
    """
    from vidtrans.model.options import IMPORT_OPTIONS  # brings torch, which takes seconds

    if setting in IMPORT_OPTIONS:
        return f"--option {setting}={value or '...'}"
    found = option_of(ConvertSettings, setting)
    option = f"--{setting.replace('_', '-') if found is None else found.name}"
    return option if value is None else f"{option} {value}"


def size_option(text: str | None) -> tuple[int, int] | None:
    """The value of ``--size WxH`` as (height, width); None where the option is not given.

    Raises:
        UsageError: ``text`` is no size.
    """
    try:
        height, width = (0, 0) if text is None else parse_size(text)
    except ValueError as error:
        raise UsageError(f"{option_words('size_hw')}: {error}") from None
    return (height, width) if text is not None else None
