"""Are the bytes of a file those that the Hub promised?"""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path

from cfslurm.core.models.variants import ModelFile

_CHUNK_BYTES = 1 << 20


def mismatch(path: Path, file: ModelFile) -> str:
    """What is wrong with the bytes of a file; empty if nothing is.

    Source: an LFS or Xet file is promised by the sha256 of its content, every other by git's hash
        of a blob: sha1 of ``blob SIZE``, a zero byte and the content.
    """
    if not stat.S_ISREG(path.lstat().st_mode):
        return "it is no plain file"
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as opened:
        found = os.fstat(opened.fileno())
        if found.st_size != file.size_bytes:
            return f"expected {file.size_bytes} bytes, got {found.st_size}"
        if file.sha256:
            digest, expected = hashlib.sha256(), file.sha256
        else:
            digest, expected = hashlib.sha1(b"blob %d\0" % found.st_size), file.git_sha1
        while chunk := opened.read(_CHUNK_BYTES):
            digest.update(chunk)
    got = digest.hexdigest()
    return "" if got == expected else f"expected {digest.name} {expected}, got {got}"
