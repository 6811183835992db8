"""cfslurm version."""

from __future__ import annotations

import platform

import click

from cfslurm import __version__
from cfslurm.cli.output import print_json, print_pairs


@click.command(name="version", epilog="Example:  cfslurm version --json")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(as_json: bool) -> None:
    """Print the version of cfslurm, of Python, and of the libraries it stands on."""
    from importlib.metadata import version

    libraries = (
        "click",
        "h5py",
        "huggingface_hub",
        "jinja2",
        "numpy",
        "pulp",
        "pydantic",
        "pyyaml",
    )
    versions = {
        "cfslurm": __version__,
        "python": platform.python_version(),
        **{name: version(name) for name in libraries},
    }
    if as_json:
        print_json("cfslurm.version/1", versions=versions)
    else:
        print_pairs(versions)
