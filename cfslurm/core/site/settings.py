"""Settings: one value for each name, from the layer that has the last word, and where it came from.

Order, strongest first: environment, the user's file, the site's file, built-in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from string import Template

from cfslurm.errors import UserInputError


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """Values by name with the place of each: ``/etc/cfslurm/site.yaml:27``, ``$HF_ENDPOINT``."""

    values: Mapping[str, str | tuple[str, ...]]
    origins: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """A value and its origin."""

    name: str
    value: str | tuple[str, ...]
    origin: str


# name → (key path in the site file, variable, built-in value)
NAMES: Mapping[str, tuple[str, str, str | tuple[str, ...]]] = {
    "account": ("", "SBATCH_ACCOUNT", ""),
    "calibration": ("storage.calibration", "CFSLURM_CALIBRATION", ""),
    "export": ("submit.export", "", ()),
    "hf_endpoint": ("network.hf_endpoint", "HF_ENDPOINT", "https://huggingface.co"),
    "model_cache": (
        "storage.model_cache.path",
        "CFSLURM_MODEL_CACHE",
        "$HOME/.cache/cfslurm/models",
    ),
    "model_cache_tiers": ("storage.model_cache.tiers", "", ()),
    "model_formats": ("models.formats", "", ()),
    "model_licences": ("models.licences", "", ()),
    "model_max_size": ("models.max_size", "", ""),
    "model_organizations": ("models.organizations", "", ()),
    "model_quantizers": ("models.quantizers", "", ()),
    "my_formats": ("", "", ()),
    "my_licences": ("", "", ()),
    "my_max_size": ("", "", ""),
    "my_organizations": ("", "", ()),
    "node_python": ("submit.node_python", "", ""),
    "prefetch_on": ("network.prefetch_on", "", "job"),
    "qos": ("", "SBATCH_QOS", ""),
    "refresh_accounts": ("slurm.refresh.accounts", "", "10m"),
    "refresh_nodes": ("slurm.refresh.nodes", "", "10s"),
    "refresh_settings": ("slurm.refresh.settings", "", "10m"),
    "runs": ("storage.runs", "CFSLURM_RUNS", "$HOME/.local/share/cfslurm/runs"),
    "signal_lead": ("submit.signal_lead", "", "2m"),
    "site": ("site.name", "", ""),
    "slurm_reader": ("slurm.reader", "", "auto"),
}
USER_NAMES = (
    "account", "hf_endpoint", "model_cache", "my_formats", "my_licences", "my_max_size",
    "my_organizations", "qos", "runs",
)  # fmt: skip
_PATHS = ("calibration", "model_cache", "model_cache_tiers", "runs")
_MAY_BE_EMPTY = ("calibration",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All settings, each once."""

    entries: tuple[Setting, ...]

    def text(self, name: str) -> str:
        """A setting that is one text."""
        value = self._find(name).value
        assert isinstance(value, str)
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        """A setting that is a list."""
        value = self._find(name).value
        assert isinstance(value, tuple)
        return value

    def origin(self, name: str) -> str:
        """Where a setting comes from."""
        return self._find(name).origin

    def _find(self, name: str) -> Setting:
        return next(entry for entry in self.entries if entry.name == name)


def settle(layers: Sequence[Layer], *, user: str, home: str) -> Settings:
    """Take each value from the first layer that has it; ``$USER`` and ``$HOME`` in paths are filled in.

    A path from the environment (its origin begins with ``$``) stays as it is: the shell has filled it
    in already, and a folder may have a ``$`` in its name.

    Raises:
        UserInputError: a path is not absolute, or names another variable; prefetch_on is no place.
    """
    built_in = Layer(
        values={name: value for name, (_, _, value) in NAMES.items()},
        origins=dict.fromkeys(NAMES, "built-in"),
    )
    entries = []
    for name in sorted(NAMES):
        layer = next(layer for layer in (*layers, built_in) if name in layer.values)
        value, origin = layer.values[name], layer.origins[name]
        if name in _PATHS and (value or name not in _MAY_BE_EMPTY):
            from_shell = origin.startswith("$")
            value = _filled(value, name, origin, {} if from_shell else {"USER": user, "HOME": home})
        if name == "prefetch_on":
            _refuse_place(str(value), origin)
        entries.append(Setting(name=name, value=value, origin=origin))
    return Settings(entries=tuple(entries))


def _refuse_place(where: str, origin: str) -> None:
    kind, _, partition = where.partition(":")
    if where not in ("login", "job") and not (kind == "partition" and partition):
        raise UserInputError(
            f"prefetch_on is {where!r} ({origin})",
            remedy="Write login, job, or partition:NAME with a partition that `cfslurm info` shows.",
        )


def _filled(
    value: str | tuple[str, ...], name: str, origin: str, known: Mapping[str, str]
) -> str | tuple[str, ...]:
    if isinstance(value, tuple):
        return tuple(_path(item, name, origin, known) for item in value)
    return _path(value, name, origin, known)


def _path(text: str, name: str, origin: str, known: Mapping[str, str]) -> str:
    try:
        path = Template(text).substitute(known) if known else text
    except (KeyError, ValueError) as error:
        raise UserInputError(
            f"{name} is {text!r} ({origin}), with a variable other than $USER and $HOME",
            remedy="Write the path out.",
        ) from error
    if not path.startswith("/"):
        raise UserInputError(
            f"{name} is {text!r} ({origin}), not an absolute path",
            remedy="Begin it with /, $HOME or $USER's folder.",
        )
    return path
