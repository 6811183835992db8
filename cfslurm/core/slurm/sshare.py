"""sshare: what multifactor priority thinks of a user's past use."""

from __future__ import annotations

from cfslurm.core.slurm.command import Command, Completed
from cfslurm.core.slurm.fields import Record, rows
from cfslurm.core.slurm.records import Share

_COLUMNS = ("Account", "User", "Partition", "RawShares", "EffectvUsage", "FairShare")
# sshare prints six decimals; JSON has all of them. Equal values must compare equal.
DECIMALS = 6


def shares_command(user: str) -> Command:
    """The shares of one user."""
    return Command(
        argv=("sshare", "--noheader", "--parsable2", f"--users={user}", f"--format={','.join(_COLUMNS)}")
    )  # fmt: skip


def read_shares(done: Completed, *, user: str) -> tuple[Share, ...]:
    """Read the answer to `shares_command`; rows of accounts are left out.

    Raises:
        SlurmUnavailableError: slurmctld did not answer.
        SlurmOutputError: a row cannot be read.
    """
    found = [_share(row) for row in rows(done, _COLUMNS) if row.text("User") == user]
    return tuple(sorted(found, key=lambda one: (one.account, one.partition)))


def _share(row: Record) -> Share:
    raw = row.text("RawShares")
    factor = row.text("FairShare")
    return Share(
        account=row.need("Account").strip(),
        partition=row.text("Partition"),
        raw_shares=None if raw in ("", "parent") else row.read("RawShares", int, raw),
        effective_usage=round(
            row.read("EffectvUsage", float, row.text("EffectvUsage", "0")), DECIMALS
        ),
        factor=round(row.read("FairShare", float, factor), DECIMALS) if factor else None,
    )
