"""The site's file, whole and validated."""

from __future__ import annotations

from pathlib import Path

from cfslurm.adapters.validated import adapter, validate
from cfslurm.adapters.yaml_file import read_yaml
from cfslurm.core.documents import Json
from cfslurm.core.site.model import Site
from cfslurm.errors import UserInputError


def load_site(path: Path | None) -> Site:
    """Read a site config; without a file everything comes from Slurm and the built-in tables.

    Raises:
        UserInputError: it cannot be read.
        InvalidFileError: everything that is wrong with it.
    """
    if path is None:
        return Site()
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise UserInputError(
            f"cannot read the site config {path}: {error.strerror}", remedy="Check its rights."
        ) from error
    return validate(Site, read_yaml(raw, str(path)))


def site_schema() -> Json:
    """The JSON Schema of a site config."""
    schema: dict[str, Json] = adapter(Site).json_schema()
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "cfslurm site config, version 1",
        **schema,
    }
