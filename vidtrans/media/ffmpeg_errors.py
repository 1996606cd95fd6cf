"""FFmpeg's errors as one sentence that a user can act on."""

from __future__ import annotations

import errno

import av.error

from vidtrans.atomic_write import error_text

_REASONS = {
    errno.ENOENT: "does not exist.",
    errno.EACCES: "cannot be read: permission denied.",
    errno.EISDIR: "is a folder, not a film.",
    errno.EIO: "cannot be read: the medium or the connection failed.",
}


def cannot_read(error: OSError | av.error.FFmpegError) -> str:
    """Say why an input cannot be read, for ``InputError(..., where=path)``."""
    if isinstance(error, av.error.InvalidDataError):
        return "is not a film or picture that can be read, or it is truncated."
    return _REASONS.get(error.errno or 0, f"cannot be read: {error_text(error)}.")
