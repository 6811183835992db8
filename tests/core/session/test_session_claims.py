"""Who may take a session from whom."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from cfslurm.core.session.claims import (
    Claim,
    Identity,
    Life,
    SessionHeldError,
    SessionSupersededError,
    check_may_take,
    claim_document,
    read_claim,
)

SHELL = Identity(
    cluster="", job_id="", restart_count=0, host="login1", boot_id="b", pid_namespace="n",
    pid=17, started=99,
)  # fmt: skip
JOB = replace(SHELL, cluster="lab", job_id="12", restart_count=1, host="n1")
EARLIER = replace(JOB, restart_count=0)
LATER = replace(JOB, restart_count=2)
OTHER_JOB = replace(JOB, job_id="13", restart_count=0)
OTHER_CLUSTER = replace(JOB, cluster="other")

TAKE, HELD, SUPERSEDED = None, SessionHeldError, SessionSupersededError


@pytest.mark.parametrize(
    ("holder", "life", "me", "expected"),
    [
        # Whoever is gone has lost it, to anybody.
        (JOB, Life.GONE, SHELL, TAKE),
        (SHELL, Life.GONE, SHELL, TAKE),
        (LATER, Life.GONE, JOB, TAKE),
        # Requeue: the later attempt wins, also over a leftover that still lives.
        (EARLIER, Life.ALIVE, JOB, TAKE),
        (EARLIER, Life.UNKNOWN, JOB, TAKE),
        (LATER, Life.ALIVE, JOB, SUPERSEDED),
        (LATER, Life.UNKNOWN, JOB, SUPERSEDED),
        # Two processes of one attempt.
        (JOB, Life.ALIVE, JOB, HELD),
        (JOB, Life.UNKNOWN, JOB, HELD),
        # Resubmission: another job takes over what it cannot see, and leaves what it sees alive.
        (JOB, Life.UNKNOWN, OTHER_JOB, TAKE),
        (JOB, Life.ALIVE, OTHER_JOB, HELD),
        (LATER, Life.UNKNOWN, OTHER_CLUSTER, TAKE),
        (SHELL, Life.UNKNOWN, JOB, TAKE),
        (SHELL, Life.ALIVE, JOB, HELD),
        # Outside Slurm nobody robs what may live.
        (JOB, Life.UNKNOWN, SHELL, HELD),
        (JOB, Life.ALIVE, SHELL, HELD),
        (SHELL, Life.UNKNOWN, SHELL, HELD),
        (SHELL, Life.ALIVE, SHELL, HELD),
    ],
)
def test_who_may_take(
    holder: Identity, life: Life, me: Identity, expected: type[Exception] | None
) -> None:
    claim = Claim(epoch=3, session="coder", holder=holder, at="2026-11-21T00:00:00Z")
    if expected is None:
        check_may_take(claim, life, me)
        return
    with pytest.raises(expected, match="session coder"):
        check_may_take(claim, life, me)


def test_superseded_ends_with_3() -> None:
    assert SessionSupersededError.exit_code == 3


def test_claim_comes_back() -> None:
    claim = Claim(epoch=3, session="coder", holder=JOB, at="2026-11-21T00:00:00Z")
    assert read_claim(json.loads(json.dumps(claim_document(claim)))) == claim


@pytest.mark.parametrize("document", [None, [], {}, {"schema": "cfslurm.session.claim/2"}])
def test_other_document_is_no_claim(document: object) -> None:
    assert read_claim(document) is None  # type: ignore[arg-type]
