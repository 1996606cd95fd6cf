"""The text of Help > About."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

from PySide6.QtCore import QCoreApplication, qVersion


def version_of(package: str) -> str:
    """The installed version of a distribution; ``?`` where it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return "?"


def about_text() -> str:
    """The versions that a bug report needs, as HTML."""
    intro = QCoreApplication.translate("About", "Label video in, street video out.")
    return (
        f"<h3>vidtrans {version_of('vidtrans')}</h3><p>{intro}</p><p>Python"
        f" {platform.python_version()} · Qt {qVersion()} · torch {version_of('torch')} · PyAV"
        f" {version_of('av')}</p><p>Apache-2.0</p>"
    )
