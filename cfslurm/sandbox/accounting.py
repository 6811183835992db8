"""Accounting for a sandbox: a MariaDB and a slurmdbd of its own, accounts and QOS."""

from __future__ import annotations

from collections.abc import Iterator

from cfslurm.adapters import process
from cfslurm.core.render.cluster_profile import ClusterProfile
from cfslurm.core.slurm.command import Command
from cfslurm.errors import SetupError
from cfslurm.sandbox.client import call, must
from cfslurm.sandbox.daemons import Launcher, Started
from cfslurm.sandbox.state import CLUSTER_NAME

# The data live as long as the sandbox: nothing has to survive a power loss.
_FAST = (
    "--innodb-log-file-size=8M",
    "--innodb-buffer-pool-size=64M",
    "--innodb-flush-method=nosync",
    "--innodb-flush-log-at-trx-commit=0",
)
_TIMEOUT_S = 60.0


def install_database(launcher: Launcher, *, user: str) -> None:
    """Make an empty database whose only user is the one who runs the sandbox, known by the socket.

    Raises:
        SetupError: MariaDB says no.
    """
    program = str(launcher.programs["mariadb-install-db"])
    argv = (
        program,
        "--no-defaults",
        f"--user={user}",
        f"--datadir={launcher.layout.database}",
        "--auth-root-authentication-method=socket",
        f"--auth-root-socket-user={user}",
        "--skip-test-db",
        "--skip-name-resolve",
        *_FAST,
    )
    done = process.run(Command(argv=argv, timeout_s=_TIMEOUT_S, environment={"LC_ALL": "C"}))
    if done.returncode != 0:
        lines = (done.stdout + done.stderr).strip().splitlines()[-8:]
        raise SetupError(
            "the sandbox' database cannot be made:\n" + "\n".join(f"   {line}" for line in lines),
            remedy="Leave --accounting out, or read the lines above.",
        )


def start_database(launcher: Launcher, *, user: str) -> Started:
    """MariaDB on a socket and on no port."""
    return launcher.mariadbd(
        "--no-defaults",
        f"--user={user}",
        f"--datadir={launcher.layout.database}",
        f"--socket={launcher.layout.database_socket}",
        f"--pid-file={launcher.layout.database_socket.parent / 'mariadbd.pid'}",
        f"--log-error={launcher.layout.log('mariadbd')}",
        "--skip-networking",
        "--skip-name-resolve",
        "--innodb-lock-wait-timeout=900",
        *_FAST,
    )


def fill(launcher: Launcher, profile: ClusterProfile, *, user: str) -> None:
    """Make the cluster, two QOS, the profile's accounts, and the user a member of all of them.

    Raises:
        SetupError: slurmdbd says no.
    """
    for words in _sacctmgr_calls(profile, user=user):
        command = Command(argv=("sacctmgr", "--immediate", *words), timeout_s=_TIMEOUT_S)
        must(call(launcher.layout, command))


def _sacctmgr_calls(profile: ClusterProfile, *, user: str) -> Iterator[tuple[str, ...]]:
    yield ("add", "cluster", CLUSTER_NAME)
    yield ("add", "qos", "high", "priority=100")
    names = [account.name for account in profile.accounts]
    for account in profile.accounts:
        yield (
            "add", "account", account.name, f"cluster={CLUSTER_NAME}",
            f"description={account.description or account.name}", "organization=sandbox",
            "qos=normal,high", "defaultqos=normal",
        )  # fmt: skip
    if names:
        yield ("add", "user", user, f"account={','.join(names)}", f"defaultaccount={names[0]}")
        # root has an account from the start, and keeps it as its default.
        yield ("modify", "user", user, "set", f"defaultaccount={names[0]}")
