"""All commands: section, name, one line of help. Data, so that `cfslurm --help` imports nothing else."""

from __future__ import annotations

COMMANDS: dict[str, dict[str, str]] = {
    "Run": {
        "submit": "Plan a workflow, write its jobs, hand them to Slurm.",
        "plan": "Choose variant, node class and share for everything in a workflow.",
        "explain": "Say why something was chosen, rejected, or still waits.",
        "validate": "Check a workflow without the cluster.",
        "init": "Write a first workflow to start from.",
    },
    "Watch": {
        "queue": "My runs and their jobs.",
        "status": "One run: stages, items, what failed.",
        "logs": "What the jobs of a run print.",
        "cancel": "End a run, or a part of it.",
        "sessions": "What agents and tasks have saved, and whether it is whole.",
    },
    "Cluster": {
        "info": "What the cluster has, and what of it is free.",
        "topo": "How nodes and GPUs are joined.",
        "harvest": "Write what the cluster has into a file.",
        "models": "Which variants of a model there are, and what is in the cache.",
        "prefetch": "Bring the model variants of a run into the shared cache.",
    },
    "Admin": {
        "site": "Slurm's own files for the nodes: gres.conf, NodeName lines, topology.",
        "sandbox": "A private, real Slurm with pretend GPUs, to try things on.",
        "doctor": "Is everything here that cfslurm needs?",
        "config": "Settings, and where each of them comes from.",
        "schema": "JSON Schemas of the files that cfslurm reads and writes.",
        "completion": "Shell completion for bash, zsh and fish.",
        "version": "The version of cfslurm and of what it stands on.",
    },
}


def names() -> list[str]:
    """All command names, in the order of the help."""
    return [name for section in COMMANDS.values() for name in section]
