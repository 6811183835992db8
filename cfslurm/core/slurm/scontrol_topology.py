"""scontrol show topology: the switches or blocks that join the nodes."""

from __future__ import annotations

from cfslurm.core.slurm.answers import is_silence, refusal
from cfslurm.core.slurm.command import Command, Completed
from cfslurm.core.slurm.fields import Record, one_line_records
from cfslurm.core.slurm.records import Block, Switch, Topology

# What a Slurm without topology says: nothing, or one of these on standard error. Source: measured.
_TREE, _BLOCK, _AGGREGATE = "SwitchName=", "BlockName=", "AggregatedBlock="


def topology_command() -> Command:
    """The switches or blocks of the default topology, lowest level first; no version has JSON for it."""
    return Command(argv=("scontrol", "show", "topology"))


def read_topology(done: Completed) -> tuple[Topology, ...]:
    """Read the answer to `topology_command`; empty where the site has none.

    Shape: ``SwitchName=leaf1 Level=0 LinkSpeed=1 Nodes=n[1-2]``, upper levels add ``Switches=``;
        ``BlockName=b1 BlockIndex=0 Nodes=n[1-2] BlockSize=2``, ``AggregatedBlock=b[1-2] …``.

    Raises:
        SlurmUnavailableError: slurmctld did not answer.
        SlurmOutputError: a record cannot be read.
    """
    if is_silence(done):
        raise refusal(done)
    if done.returncode != 0:
        return ()
    if done.stdout.startswith(_TREE):
        switches = tuple(_switch(r) for r in one_line_records(done, first_key="SwitchName"))
        return (Topology(name="default", kind="tree", is_default=True, switches=switches),)
    if done.stdout.startswith((_BLOCK, _AGGREGATE)):
        blocks = tuple(
            _block(record)
            for record in one_line_records(done, first_key=("BlockName", "AggregatedBlock"))
        )
        return (Topology(name="default", kind="block", is_default=True, blocks=blocks),)
    return ()


def _switch(record: Record) -> Switch:
    return Switch(
        name=record.need("SwitchName"),
        level=record.number_or("Level", 0),
        node_names=record.names("Nodes"),
        switches=record.names("Switches"),
    )


def _block(record: Record) -> Block:
    is_base = "BlockName" in record.fields
    return Block(
        name=record.need("BlockName" if is_base else "AggregatedBlock"),
        node_names=record.names("Nodes"),
        size=record.number_or("BlockSize", 0),
        blocks=() if is_base else record.names("AggregatedBlock"),
    )
