"""The templates of Slurm's files, as they are shipped in gres_templates."""

from __future__ import annotations

from cfslurm.adapters.resources import shipped_text
from cfslurm.core.render.site_files import FAMILY_PARTS, TEMPLATES
from cfslurm.core.render.slurm_conf import SANDBOX_TEMPLATES

_FOLDER = "gres_templates"


def site_templates() -> dict[str, str]:
    """Those of a site's files, and the parts for each family of GPUs, by name."""
    files = {name: shipped_text(f"{_FOLDER}/{name}.j2") for name in TEMPLATES}
    return files | {name: shipped_text(f"{_FOLDER}/{name}") for name in FAMILY_PARTS}


def sandbox_templates() -> dict[str, str]:
    """Those that only a sandbox has, by the name of the file."""
    return {name: shipped_text(f"{_FOLDER}/sandbox/{name}.j2") for name in SANDBOX_TEMPLATES}
