"""The built-in table of engines."""

from __future__ import annotations

from cfslurm.adapters.resources import shipped_text
from cfslurm.adapters.validated import validate_json
from cfslurm.adapters.yaml_file import read_yaml
from cfslurm.core.models.engines import Engine

_TABLE = "core/models/engines.yaml"


def built_in_engines() -> dict[str, Engine]:
    """All engines that cfslurm knows by itself."""
    document = read_yaml(shipped_text(_TABLE).encode(), _TABLE)
    assert isinstance(document.data, dict)
    return {name: validate_json(Engine, data, _TABLE) for name, data in document.data.items()}
