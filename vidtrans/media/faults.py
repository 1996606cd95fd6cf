"""FFmpeg's errors as one sentence that a user can act on."""

from __future__ import annotations

import errno
import os

import av.error

_READING = {
    errno.ENOENT: "does not exist.",
    errno.EACCES: "cannot be read: permission denied.",
    errno.EISDIR: "is a folder, not a film.",
    errno.EIO: "cannot be read: the medium or the connection failed.",
}

_WRITING = {
    errno.ENOSPC: "there is no space left on the disk.",
    errno.EDQUOT: "your disk quota is used up.",
    errno.EFBIG: "the file would be larger than this system allows.",
    errno.EACCES: "permission denied.",
    errno.EPERM: "permission denied.",
    errno.EROFS: "the disk is read-only.",
    errno.ENOENT: "its folder does not exist.",
    errno.ENOTDIR: "its folder is a file.",
    errno.EIO: "the medium or the connection failed.",
    errno.ENAMETOOLONG: "its name is too long.",
}


def _said(error: OSError | av.error.FFmpegError) -> str:
    code = error.errno or 0
    try:
        known = os.strerror(code) if 0 < code < 4096 else ""
    except ValueError:
        known = ""
    return (known or error.strerror or type(error).__name__).rstrip(".").lower()


def cannot_read(error: OSError | av.error.FFmpegError) -> str:
    """Why an input cannot be opened, for ``InputError(..., where=path)``."""
    if isinstance(error, av.error.InvalidDataError):
        return "is not a film or picture that can be read, or it is truncated."
    return _READING.get(error.errno or 0, f"cannot be read: {_said(error)}.")


def cannot_write(error: OSError | av.error.FFmpegError) -> str:
    """Why an output cannot be written, for ``OutputError(..., where=path)``."""
    return f"cannot be written: {_WRITING.get(error.errno or 0, _said(error) + '.')}"
