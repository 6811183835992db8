"""scontrol show reservations and licenses: what is kept for whom, and what is counted."""

from __future__ import annotations

from cfslurm.core.slurm.command import Command, Completed
from cfslurm.core.slurm.fields import Record, one_line_records
from cfslurm.core.slurm.records import License, Reservation
from cfslurm.core.slurm.tres import read_tres


def reservations_command() -> Command:
    """All reservations that this user may see, one line each."""
    return Command(argv=("scontrol", "-o", "show", "reservations"))


def read_reservations(done: Completed) -> tuple[Reservation, ...]:
    """Read the answer to `reservations_command`, sorted by name.

    Raises:
        SlurmUnavailableError: slurmctld did not answer.
        SlurmOutputError: a record cannot be read.
    """
    found = [_reservation(record) for record in one_line_records(done, first_key="ReservationName")]
    return tuple(sorted(found, key=lambda one: one.name))


def _reservation(record: Record) -> Reservation:
    return Reservation(
        name=record.fields["ReservationName"].strip(),
        node_names=record.names("Nodes"),
        users=record.words("Users"),
        accounts=record.words("Accounts"),
        groups=record.words("Groups"),
        flags=tuple(sorted(record.words("Flags"))),
        partition=record.text("PartitionName"),
        licenses=record.text("Licenses"),
        tres=record.read("TRES", read_tres, record.text("TRES")),
        start_time=record.moment("StartTime"),
        end_time=record.moment("EndTime"),
    )


def licenses_command() -> Command:
    """All licences, one line each."""
    return Command(argv=("scontrol", "-o", "show", "licenses"))


def read_licenses(done: Completed) -> tuple[License, ...]:
    """Read the answer to `licenses_command`, sorted by name.

    Raises:
        SlurmUnavailableError: slurmctld did not answer.
        SlurmOutputError: a record cannot be read.
    """
    found = [_license(record) for record in one_line_records(done, first_key="LicenseName")]
    return tuple(sorted(found, key=lambda one: one.name))


def _license(record: Record) -> License:
    return License(
        name=record.fields["LicenseName"].strip(),
        total=record.number("Total"),
        used=record.number("Used"),
        free=record.number("Free"),
        reserved=record.number_or("Reserved", 0),
        is_remote=record.text("Remote") == "yes",
    )
