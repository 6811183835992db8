"""Completion scripts for three shells, from the commands themselves."""

from __future__ import annotations

from dataclasses import dataclass

import click

_MODELS = ("REPO", "VARIANT")
# Written by cfslurm.adapters.known_models: letters, digits and ./_- only, since shells expand words.
_KNOWN = "${XDG_CACHE_HOME:-$HOME/.cache}/cfslurm/models.txt"


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """A command as a shell must know it: its path, help, options, choices, subcommands.

    ``takes_model`` is True where an argument is a model on the Hub: of those, shells know the ones
    that the user has looked at before.
    """

    path: tuple[str, ...]
    help: str
    options: tuple[tuple[str, str], ...]
    choices: tuple[str, ...]
    subcommands: tuple[str, ...]
    takes_model: bool


def describe_commands(root: click.Group, ctx: click.Context) -> tuple[Described, ...]:
    """All commands and subcommands, the root first."""
    found = [_described(root, (), ctx)]
    for name in root.list_commands(ctx):
        command = root.get_command(ctx, name)
        assert command is not None
        found.append(_described(command, (name,), ctx))
        if isinstance(command, click.Group):
            for inner in command.list_commands(ctx):
                part = command.get_command(ctx, inner)
                assert part is not None
                found.append(_described(part, (name, inner), ctx))
    return tuple(found)


def _described(command: click.Command, path: tuple[str, ...], ctx: click.Context) -> Described:
    options: list[tuple[str, str]] = []
    choices: list[str] = []
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            text = (parameter.help or "").split(". ")[0].rstrip(".")
            options += [(name, text) for name in (*parameter.opts, *parameter.secondary_opts)]
        elif isinstance(parameter.type, click.Choice):
            choices += [str(choice) for choice in parameter.type.choices]
    options += [("--help", "Show help")]
    subcommands = command.list_commands(ctx) if isinstance(command, click.Group) else []
    return Described(
        path=path,
        help=command.get_short_help_str(limit=70).rstrip("."),
        options=tuple(options),
        choices=tuple(choices),
        subcommands=tuple(subcommands),
        takes_model=any(parameter.metavar in _MODELS for parameter in command.params),
    )


def script(shell: str, commands: tuple[Described, ...]) -> str:
    """The script for a shell."""
    return {"bash": _bash, "zsh": _zsh, "fish": _fish}[shell](commands)


_BASH_MODELS = (
    f"""; words="$words $(grep -xE '[A-Za-z0-9][A-Za-z0-9._/-]*' "{_KNOWN}" 2>/dev/null)\""""
)


def _words(command: Described) -> str:
    names = [name for name, _ in command.options]
    return " ".join([*command.subcommands, *command.choices, *names])


def _bash(commands: tuple[Described, ...]) -> str:
    cases = "\n".join(
        f"    {'/'.join(command.path) or 'cfslurm'}) words='{_words(command)}'"
        f"{_BASH_MODELS if command.takes_model else ''} ;;"
        for command in commands
    )
    known = " ".join("/".join(command.path) for command in commands if command.path)
    return f"""# bash completion for cfslurm; written by `cfslurm completion bash`
_cfslurm() {{
  local current="${{COMP_WORDS[COMP_CWORD]}}" path="" words="" word
  for word in "${{COMP_WORDS[@]:1:COMP_CWORD-1}}"; do
    case " {known} " in
      *" ${{path:+$path/}}$word "*) path="${{path:+$path/}}$word" ;;
    esac
  done
  case "${{path:-cfslurm}}" in
{cases}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
}}
complete -o default -o bashdefault -F _cfslurm cfslurm"""


def _zsh(commands: tuple[Described, ...]) -> str:
    # zsh runs bash's completions; descriptions would need one function for each command.
    return f"""#compdef cfslurm
# zsh completion for cfslurm; written by `cfslurm completion zsh`
autoload -U +X bashcompinit && bashcompinit
{_bash(commands)}"""


def _fish(commands: tuple[Described, ...]) -> str:
    lines = ["# fish completion for cfslurm; written by `cfslurm completion fish`"]
    for command in commands:
        depth = len(command.path)
        if depth == 0:
            condition = "__fish_use_subcommand"
        elif depth == 1:
            condition = f"__fish_seen_subcommand_from {command.path[0]}"
        else:
            condition = (
                f"__fish_seen_subcommand_from {command.path[0]}; "
                f"and __fish_seen_subcommand_from {command.path[1]}"
            )
        helps = {c.path[-1]: c.help for c in commands if c.path and c.path[:-1] == command.path}
        for word in (*command.subcommands, *command.choices):
            lines.append(
                f"complete -c cfslurm -n '{condition}' -a {word} -d '{_quoted(helps.get(word, ''))}'"
            )
        if command.takes_model:
            known = "(cat (set -q XDG_CACHE_HOME; and echo $XDG_CACHE_HOME; or echo $HOME/.cache)"
            lines.append(
                f"complete -c cfslurm -n '{condition}' -a '{known}/cfslurm/models.txt 2>/dev/null)'"
            )
        for name, text in command.options:
            flag = f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}"
            lines.append(f"complete -c cfslurm -n '{condition}' {flag} -d '{_quoted(text)}'")
    return "\n".join(lines)


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace("'", "\\'")
