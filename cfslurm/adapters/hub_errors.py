"""What can go wrong at the Hub, in our words: the one place that knows huggingface_hub's errors."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NoReturn

from cfslurm.errors import HubAccessError, HubError, HubUnavailableError


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a request is about, for the words of an error."""

    endpoint: str
    repo_id: str
    revision: str = ""
    path: str = ""

    @property
    def thing(self) -> str:
        """The file or the repository."""
        return f"{self.path} of {self.repo_id}" if self.path else self.repo_id


@contextmanager
def translated(library: Any, asked: Asked) -> Iterator[None]:
    """Raise foreign errors as ours; an OSError of the local disk passes."""
    errors = library.errors
    try:
        yield
    except errors.OfflineModeIsEnabled as error:
        raise HubError(
            "HF_HUB_OFFLINE is set: the Hub may not be asked",
            remedy="Run `unset HF_HUB_OFFLINE` and try again.",
        ) from error
    except errors.HfHubHTTPError as error:
        refuse(error.response.status_code, error.response.headers, asked, error)
    except errors.LocalEntryNotFoundError as error:
        # "The Hub cannot be asked, and nothing lies on this machine"; the reason is the cause.
        cause = error.__cause__
        if isinstance(cause, errors.HfHubHTTPError):
            refuse(cause.response.status_code, cause.response.headers, asked, error)
        _unavailable(asked, error, kind=type(cause or error).__name__)
    except _http_error(library) as error:
        if type(error).__name__ == "TooManyRedirects":
            raise HubError(
                f"the Hub at {asked.endpoint} sends questions about {asked.thing} round in circles",
                remedy="Name another repository, or check the proxy or mirror on the way.",
            ) from error
        _unavailable(asked, error, kind=type(error).__name__)
    except OSError as error:
        if error.errno is not None:
            raise
        _unavailable(asked, error, kind="too few bytes")  # the library's "Consistency check failed"
    except ValueError as error:  # a name that the library refuses; a file that only Xet can carry
        reason = str(error).partition("\n")[0][:200]
        raise HubError(
            f"{asked.thing} cannot be fetched: {reason}",
            remedy="Run `unset HF_HUB_DISABLE_XET` if it is set; else name another repository.",
        ) from error


def _http_error(library: Any) -> type[Exception]:
    """The base of the HTTP library's errors: httpx in huggingface_hub 1.x, httpx2 in 2.x."""
    module = type(library.utils.get_session()).__module__.partition(".")[0]
    base: type[Exception] = importlib.import_module(module).HTTPError
    return base


def _unavailable(asked: Asked, error: Exception, *, kind: str) -> NoReturn:
    raise HubUnavailableError(
        f"the Hub at {asked.endpoint} gave no usable answer about {asked.thing} ({kind})",
        remedy="Run the same command again; if it stays so, check this machine's network and proxy.",
    ) from error


def refuse(
    status: int, headers: Mapping[str, str], asked: Asked, error: Exception | None = None
) -> NoReturn:
    """Raise what a status and the Hub's error code mean.

    Source: X-Error-Code as huggingface_hub reads it. 401 without a code is what an anonymous user
        gets for private and for missing repositories alike.
    """
    if status == 429:
        wait_s = _wait_s(headers)
        when = f"{wait_s:g} s" if wait_s else "five minutes"
        raise HubUnavailableError(
            f"the Hub at {asked.endpoint} has been asked too often from here",
            remedy=f"Wait {when}; who has logged in with `hf auth login` may ask more often.",
            wait_s=wait_s,
        ) from error
    if status == 408 or status >= 500:
        raise HubUnavailableError(
            f"the Hub at {asked.endpoint} answered {status} about {asked.thing}",
            remedy="Run the same command again in some minutes.",
        ) from error
    code = headers.get("X-Error-Code") or _CODES.get(status, "")
    message, remedy = _REFUSALS.get(code, _REFUSALS[""])
    kind = HubAccessError if status in {401, 403, 404} else HubError
    words = message.format(
        repo=asked.repo_id, revision=asked.revision, path=asked.path, status=status
    )
    raise kind(words, remedy=remedy) from error


def _wait_s(headers: Mapping[str, str]) -> float:
    """How long a Hub asks to be left alone; 0 where it does not say.

    Source: hub-docs, rate-limits: ``RateLimit: "api";r=0;t=SECONDS``; RFC 9110: ``Retry-After``.
    """
    limit = re.search(r";\s*t=(\d{1,6})", headers.get("RateLimit", ""))
    after = re.fullmatch(r"\s*(\d{1,6})\s*", headers.get("Retry-After", ""))
    return float(max(int(found[1]) if found else 0 for found in (limit, after)))


_CODES = {401: "RepoNotFound", 404: "RepoNotFound"}
_REFUSALS = {
    "GatedRepo": (
        "{repo} is gated, and its owner has not let you in",
        "Accept the licence on the model's page, then log in with `hf auth login`.",
    ),
    "RevisionNotFound": (
        "{repo} has no revision {revision!r}",
        "Name a branch, tag or commit that it has; the usual branch is main.",
    ),
    "EntryNotFound": (
        "{repo} has no file {path} at revision {revision}",
        "Name another revision or another repository.",
    ),
    "RepoNotFound": (
        "{repo} is not on the Hub, or it is private",
        "Check the name; for a private model log in with `hf auth login`.",
    ),
    "": (
        "the Hub refuses {repo} with status {status}",
        "Log in with `hf auth login`, or name another repository.",
    ),
}
