"""Where settings come from: the environment, the user's file, the site's file.

Reads YAML without validating it against the schema, so that `cfslurm queue` starts fast; commands
that use the whole site config read it with `cfslurm.adapters.site_file`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cfslurm.adapters.environment import Environment
from cfslurm.core.documents import Json
from cfslurm.core.site.settings import NAMES, USER_NAMES, Layer, Settings, settle
from cfslurm.errors import InvalidFileError, Problem, UserInputError

if TYPE_CHECKING:
    from cfslurm.adapters.yaml_file import YamlDocument

SYSTEM_SITE = Path("/etc/cfslurm/site.yaml")


def find_site_file(environment: Environment, flag: str | None) -> Path | None:
    """The site's file: the option, CFSLURM_SITE, /etc/cfslurm, the user's; None where there is none.

    Raises:
        UserInputError: the option or the variable names a file that is not there.
    """
    for given, how in ((flag, "--site"), (environment.get("CFSLURM_SITE"), "CFSLURM_SITE")):
        if given:
            path = Path(given)
            if not path.is_file():
                raise UserInputError(
                    f"{how} names {given!r}, which is no file",
                    remedy="Give the path of a site config, or leave it out.",
                )
            return path
    candidates = (SYSTEM_SITE, user_folder(environment) / "site.yaml")
    return next((path for path in candidates if path.is_file()), None)


def user_folder(environment: Environment) -> Path:
    """The folder of the user's own configuration."""
    base = environment.get("XDG_CONFIG_HOME")
    return (Path(base) if base else environment.home / ".config") / "cfslurm"


def load_settings(environment: Environment, flag: str | None) -> Settings:
    """All settings with their origins.

    Raises:
        InvalidFileError: a file is no YAML, or a value has the wrong type.
        UserInputError: a path is not absolute.
    """
    layers = [_from_variables(environment)]
    user_file = user_folder(environment) / "config.yaml"
    if user_file.is_file():
        layers.append(_from_user(_read(user_file)))
    site_file = find_site_file(environment, flag)
    if site_file is not None:
        layers.append(_from_site(_read(site_file)))
    return settle(layers, user=environment.user, home=str(environment.home))


def _read(path: Path) -> YamlDocument:
    from cfslurm.adapters.yaml_file import read_yaml  # only where there is a file to read

    try:
        return read_yaml(path.read_bytes(), str(path))
    except OSError as error:
        raise UserInputError(
            f"cannot read {path}: {error.strerror}", remedy="Check its rights, or move it away."
        ) from error


def _from_variables(environment: Environment) -> Layer:
    values: dict[str, str | tuple[str, ...]] = {}
    origins: dict[str, str] = {}
    for name, (_, variable, _) in NAMES.items():
        value = environment.get(variable) if variable else None
        if value is not None:
            values[name] = value
            origins[name] = f"${variable}"
    return Layer(values=values, origins=origins)


def _from_user(document: YamlDocument) -> Layer:
    data = document.data if isinstance(document.data, dict) else {}
    unknown = sorted(set(data) - set(USER_NAMES))
    if unknown:
        line, column = document.place((unknown[0],))
        problem = Problem(
            path=unknown[0],
            message=f"unknown key {unknown[0][:60]!r}",
            remedy=f"Known here: {', '.join(USER_NAMES)}.",
            line=line,
            column=column,
        )
        raise InvalidFileError(document.source, (problem,), text=document.text)
    return _layer(document, {name: (name,) for name in USER_NAMES})


def _from_site(document: YamlDocument) -> Layer:
    paths = {name: tuple(path.split(".")) for name, (path, _, _) in NAMES.items() if path}
    return _layer(document, paths)


def _layer(document: YamlDocument, paths: dict[str, tuple[str, ...]]) -> Layer:
    values: dict[str, str | tuple[str, ...]] = {}
    origins: dict[str, str] = {}
    for name, path in paths.items():
        value = _at(document.data, path)
        if value is None or value == "":
            continue
        line, column = document.place(path)
        if isinstance(value, list) and all(isinstance(item, str) for item in value):
            values[name] = tuple(str(item) for item in value)
        elif isinstance(value, str) and not isinstance(NAMES[name][2], tuple):
            values[name] = value
        else:
            problem = Problem(
                path=".".join(path),
                message=f"{path[-1]} is {str(value)[:60]!r}",
                remedy="Write a list of texts."
                if isinstance(NAMES[name][2], tuple)
                else "Write a text.",
                line=line,
                column=column,
            )
            raise InvalidFileError(document.source, (problem,), text=document.text)
        origins[name] = f"{document.source}:{line}"
    return Layer(values=values, origins=origins)


def _at(data: Json, path: tuple[str, ...]) -> Json:
    for key in path:
        if not isinstance(data, dict):
            return None
        data = data.get(key)
    return data
