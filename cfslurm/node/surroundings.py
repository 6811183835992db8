"""What a program finds around it: environment, placeholders, a private temporary folder."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from cfslurm.core.run.manifest import Manifest, Program, ProgramSession, VariantPlace
from cfslurm.core.run.names import SESSIONS
from cfslurm.core.workflow.names import variable
from cfslurm.errors import SetupError
from cfslurm.node.place import Place

# Programs must not find these: jobs run offline, and tokens stay on the login node.
_TAKEN_AWAY = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_ENDPOINT")
# What a job asked the SPANK plugin for; steps that a program starts itself have asked for nothing.
_ASKED_OF_PLUGIN = "CFSLURM_OPT_"
_OFFLINE = {
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "VLLM_NO_USAGE_STATS": "1",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """The environment of a program and the values of its placeholders."""

    environment: Mapping[str, str]
    placeholders: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Here:
    """What does not change while an attempt lasts.

    ``temporary`` is a private folder of the attempt; ``inherited`` the environment of the runner.
    """

    manifest: Manifest
    place: Place
    temporary: Path
    inherited: Mapping[str, str]


def surroundings(program: Program, here: Here, *, entry: str, session: str) -> Surroundings:
    """What every program gets; arrays add the item, gangs the other components.

    ``session`` is the name of the program's session, used if the program keeps one.

    Raises:
        SetupError: the plan gives this node's class no variant, or the variant is not in the cache.
    """
    manifest, place, temporary = here.manifest, here.place, here.temporary
    environment = {
        name: value
        for name, value in here.inherited.items()
        if name not in _TAKEN_AWAY and not name.startswith(_ASKED_OF_PLUGIN)
    }
    environment |= {
        "CFSLURM_RUN_ID": manifest.run_id,
        "CFSLURM_RUN_DIR": manifest.run_dir,
        "CFSLURM_ENTRY": entry,
        "CFSLURM_ATTEMPT": str(place.attempt),
        "CFSLURM_NODE_CLASS": place.node_class,
        "CFSLURM_RESULT": str(temporary / "result.json"),
        "HF_HOME": str(temporary / "hf"),
        **_OFFLINE,
    }
    placeholders = {
        "run_id": manifest.run_id,
        "run_dir": manifest.run_dir,
        "node_class": place.node_class,
        "workdir": program.workdir,
    }
    if program.variants:
        _add_model(variant_here(program, place), environment, placeholders)
    if program.session is not None:
        placeholders["session"] = session
        folder = Path(manifest.run_dir) / SESSIONS / session
        environment |= {"CFSLURM_SESSION": session, "CFSLURM_SESSION_DIR": str(folder)}
        environment |= _session_variables(program.session)
    return Surroundings(
        environment={**environment, **program.environment}, placeholders=placeholders
    )


def variant_here(program: Program, place: Place) -> VariantPlace:
    """The variant of this node's class.

    Raises:
        SetupError: there is none, or it is not (completely) in the cache.
    """
    found = program.variants.get(place.node_class)
    if found is None:
        raise SetupError(
            f"the plan has no variant for nodes like {place.node} ({place.node_class})",
            remedy="Submit the workflow again; `cfslurm explain` shows what the plan chose.",
        )
    path = Path(found.path)
    folder = path.parent if found.quantization.startswith("gguf") else path
    if not (folder / "cfslurm.lock.json").is_file() or not path.exists():
        raise SetupError(
            f"{found.variant} is not in the model cache: {found.path}",
            remedy="Submit the workflow again: a new run brings in what is missing.",
        )
    return found


def _add_model(
    variant: VariantPlace, environment: dict[str, str], placeholders: dict[str, str]
) -> None:
    values = {
        "model_path": variant.path,
        "variant": variant.variant,
        "quantization": variant.quantization,
        "tensor_parallel_size": str(variant.tensor_parallel_size),
        "max_model_len": str(variant.max_model_len),
    }
    placeholders.update(values)
    environment.update({f"CFSLURM_{name.upper()}": value for name, value in values.items()})
    environment["CFSLURM_MODEL_REPO"] = variant.repo_id
    environment["CFSLURM_MODEL_REVISION"] = variant.revision


def _session_variables(session: ProgramSession) -> dict[str, str]:
    """What the workflow says of a session; what it leaves open stays as the job inherited it."""
    told = {
        "CFSLURM_SESSION_INTERVAL": session.checkpoint_s,
        "CFSLURM_SESSION_KEEP": session.keep,
        "CFSLURM_SESSION_KEEP_HOURLY": session.keep_hourly,
        "CFSLURM_SESSION_KEEP_DAILY": session.keep_daily,
        "CFSLURM_SESSION_COMPRESSION": session.compression,
        "CFSLURM_SESSION_GROUP": session.group,
        "CFSLURM_SESSION_KEY_FILE": session.key_file,
    }
    return {name: str(value) for name, value in told.items() if value is not None}


def with_item(base: Surroundings, *, index: int, fields: Mapping[str, str]) -> Surroundings:
    """Add one item of an array."""
    return Surroundings(
        environment={
            **base.environment,
            "CFSLURM_INDEX": str(index),
            "CFSLURM_ITEM": fields.get("item", ""),
        },
        placeholders={**base.placeholders, "index": str(index), **fields},
    )


def with_peers(
    base: Surroundings,
    *,
    component: str,
    replica: int,
    peers: Mapping[str, tuple[str, int]],
) -> Surroundings:
    """Add the components of a gang: who am I, and where is everybody."""
    host, port = peers[component]
    placeholders = {
        **base.placeholders,
        "component": component,
        "replica": str(replica),
        "host": host,
        "port": str(port),
    }
    environment = {
        **base.environment,
        "CFSLURM_COMPONENT": component,
        "CFSLURM_REPLICA": str(replica),
        "CFSLURM_HOST": host,
        "CFSLURM_PORT": str(port),
        "CFSLURM_PEERS": json.dumps({name: f"{h}:{p}" for name, (h, p) in peers.items()}),
    }
    for name, (peer_host, peer_port) in peers.items():
        environment[f"CFSLURM_PEER_{variable(name)}"] = f"{peer_host}:{peer_port}"
        placeholders[f"host.{name}"] = peer_host
        placeholders[f"port.{name}"] = str(peer_port)
    return Surroundings(environment=environment, placeholders=placeholders)


def with_rounds(base: Surroundings, text: str) -> Surroundings:
    """Add what a coordinated session is told of its gang's rounds."""
    return replace(base, environment={**base.environment, "CFSLURM_SESSION_ROUNDS": text})
