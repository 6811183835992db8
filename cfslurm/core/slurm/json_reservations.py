"""Reservations and licences from ``scontrol --json``, 23.02 and later."""

from __future__ import annotations

from cfslurm.core.slurm.command import Command, Completed
from cfslurm.core.slurm.json_values import JsonRecord, json_records
from cfslurm.core.slurm.records import License, Reservation

SINCE = (23, 2)


def reservations_command() -> Command:
    """All reservations that this user may see."""
    return Command(argv=("scontrol", "show", "reservations", "--json"))


def read_reservations(done: Completed) -> tuple[Reservation, ...]:
    """Read the answer to `reservations_command`, sorted by name.

    Raises:
        SlurmUnavailableError: slurmctld did not answer.
        SlurmOutputError: no JSON, or a record cannot be read.
    """
    found = [_reservation(record) for record in json_records(done, "reservations")]
    return tuple(sorted(found, key=lambda one: one.name))


def _reservation(record: JsonRecord) -> Reservation:
    return Reservation(
        name=record.need("name"),
        node_names=record.names("node_list"),
        users=record.words("users"),
        accounts=record.words("accounts"),
        groups=record.words("groups"),
        flags=tuple(sorted(record.words("flags"))),
        partition=record.text("partition"),
        licenses=record.text("licenses"),
        tres=record.tres("tres"),
        start_time=record.moment("start_time"),
        end_time=record.moment("end_time"),
    )


def licenses_command() -> Command:
    """All licences."""
    return Command(argv=("scontrol", "show", "licenses", "--json"))


def read_licenses(done: Completed) -> tuple[License, ...]:
    """Read the answer to `licenses_command`, sorted by name.

    Raises:
        SlurmUnavailableError: slurmctld did not answer.
        SlurmOutputError: no JSON, or a record cannot be read.
    """
    found = [_license(record) for record in json_records(done, "licenses")]
    return tuple(sorted(found, key=lambda one: one.name))


def _license(record: JsonRecord) -> License:
    return License(
        name=record.need("LicenseName"),
        total=record.count("Total"),
        used=record.count("Used"),
        free=record.count("Free"),
        reserved=record.integer("Reserved") or 0,
        is_remote=record.at("Remote") is True,
    )
