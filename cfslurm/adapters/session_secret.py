"""Sealing sessions at rest: AES-256-GCM in frames of 1 MiB, with a key of the user's own.

The key comes from a file that only its owner can read, or from a command that prints it. It stands in
no environment, no argument, no log and no error. `cryptography` is needed only where a session is sealed.
"""

from __future__ import annotations

import binascii
import contextlib
import hashlib
import hmac
import os
import re
import secrets
import stat
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cfslurm.core.session.trailer import SALT_BYTES, Trailer
from cfslurm.errors import SessionError

_ID_BYTES = 4
_NONCE_BYTES = 12
_COMMAND_TIMEOUT_S = 60.0
_HEX = re.compile(rb"[0-9a-fA-F]{64}")


def needs_key() -> SessionError:
    """The error for a sealed session without a key."""
    return SessionError(
        "the session is encrypted, and there is no key here",
        remedy="Set CFSLURM_SESSION_KEY_FILE to the file with its key, or CFSLURM_SESSION_KEY_COMMAND.",
    )


@dataclass(frozen=True, slots=True)
class Key:
    """The user's key for all of a session's files."""

    secret: bytes = field(repr=False)

    def _derived(self, what: bytes) -> bytes:
        return hmac.digest(self.secret, b"cfslurm.session/2 " + what, "sha256")

    @property
    def identity(self) -> bytes:
        """Four bytes that tell a wrong key from a damaged file, and nothing else."""
        return self._derived(b"identity")[:_ID_BYTES]

    def new_salt(self) -> bytes:
        """What makes the key of a new file its own."""
        return secrets.token_bytes(SALT_BYTES - _ID_BYTES) + self.identity

    def for_file(self, salt: bytes, trailer: Trailer) -> FileKey:
        """The key of one generation's file.

        Raises:
            SessionError: the file was sealed with another key.
        """
        self._check(salt)
        who = b"%d %d %d" % (trailer.id.epoch, trailer.id.generation, trailer.payload_bytes)
        return FileKey(self._derived(b"file " + salt + who))

    def for_journal(self, salt: bytes) -> FileKey:
        """The key of one journal.

        Raises:
            SessionError: the journal was sealed with another key.
        """
        self._check(salt)
        return FileKey(self._derived(b"journal " + salt))

    def _check(self, salt: bytes) -> None:
        if salt[-_ID_BYTES:] != self.identity:
            raise SessionError(
                "the session is encrypted with another key",
                remedy="Give the key that it was written with; without it nobody can read it.",
            )


class FileKey:
    """Seals and opens the frames of one file; a frame's number is its nonce, the key is the file's own."""

    def __init__(self, secret: bytes) -> None:
        self._cipher = _cipher(secret)
        self._veil = hashlib.sha256(b"veil" + secret).digest()

    def seal_frame(self, number: int, content: bytes | memoryview) -> tuple[bytes, bytes]:
        """The content, unreadable, and its tag."""
        sealed = self._cipher.encrypt(_nonce(number), content, None)
        return sealed[:-16], sealed[-16:]

    def open_frame(self, number: int, sealed: bytes | bytearray, tag: bytes) -> bytes | None:
        """Undo `seal_frame`; None if it is not what was sealed as this frame of this file."""
        from cryptography.exceptions import InvalidTag

        try:
            opened: bytes = self._cipher.decrypt(_nonce(number), bytes(sealed) + tag, None)
        except InvalidTag:
            return None
        return opened

    def seal_record(self, line: int, text: bytes) -> bytes:
        """A line of a journal; the nonce is random, because a line that failed is written again."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sealed: bytes = self._cipher.encrypt(nonce, text, b"%d" % line)
        return nonce + sealed

    def open_record(self, line: int, sealed: bytes) -> bytes | None:
        """Undo `seal_record`; None if it is not what was sealed as this line."""
        from cryptography.exceptions import InvalidTag

        nonce, rest = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
        try:
            opened: bytes = self._cipher.decrypt(nonce, rest, b"%d" % line)
        except (InvalidTag, ValueError):
            return None
        return opened

    def veil(self, digest: bytes) -> bytes:
        """A digest in a form from which nothing can be guessed without the key."""
        return hmac.digest(self._veil, digest, "sha256")[: len(digest)]


def _nonce(number: int) -> bytes:
    return number.to_bytes(_NONCE_BYTES, "little")


def _cipher(secret: bytes) -> Any:
    try:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    except ImportError as error:
        raise SessionError(
            "an encrypted session needs the library cryptography",
            remedy="pip install 'cfslurm[encryption]'",
        ) from error
    return AESGCM(secret)


def key_from_file(path: Path) -> Key:
    """Read a key: 64 hexadecimal digits in a file that only its owner can read.

    Raises:
        SessionError: there is none, or others could read it.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise SessionError(
            f"the session's key cannot be read: {error.strerror} ({path})",
            remedy=f"Make one: (umask 077; openssl rand -hex 32 > {path})",
        ) from error
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_mode & 0o077:
            raise SessionError(
                f"others can read the session's key ({path})", remedy=f"chmod 600 {path}"
            )
        return _key(os.read(descriptor, 4096), str(path))
    finally:
        os.close(descriptor)


def key_from_command(argv: tuple[str, ...]) -> Key:
    """Take the key from what a command prints, as a password store does.

    Raises:
        SessionError: it prints none.
    """
    from cfslurm.adapters.process import run_bounded

    problem = "is not there"
    with contextlib.suppress(OSError):
        done = run_bounded(argv, deadline_s=_COMMAND_TIMEOUT_S, most_bytes=4096)
        problem = done.problem or (f"ended with {done.returncode}" if done.returncode else "")
        if not problem:
            return _key(done.output, argv[0])
    raise SessionError(
        f"the command for the session's key {problem}: {argv[0]}",
        remedy="Run it by hand on this machine; it must print 64 hexadecimal digits.",
    )


def _key(text: bytes, where: str) -> Key:
    if not _HEX.fullmatch(text.strip()):
        raise SessionError(
            f"{where} gives no key of 64 hexadecimal digits",
            remedy="Make one with: openssl rand -hex 32",
        )
    return Key(binascii.unhexlify(text.strip()))
