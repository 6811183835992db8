"""Groups of commands that import a command's module when that command is called, and not before."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

import click


class LazyGroup(click.Group):
    """A group of the modules in a package: a table tells their names and one line of help each.

    ``sections`` is the table: title, name, line. ``package`` holds a module ``NAME`` with a
    ``command`` for each name. ``start`` is a line that the help shows first.
    """

    def __init__(
        self,
        *args: Any,
        package: str,
        sections: Mapping[str, Mapping[str, str]],
        start: str = "",
        **attributes: Any,
    ) -> None:
        super().__init__(*args, **attributes)
        self._package = package
        self._sections = sections
        self._start = start

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names, from the table."""
        return [name for section in self._sections.values() for name in section]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import ``PACKAGE.NAME`` and take its ``command``."""
        if cmd_name not in self.list_commands(ctx):
            return None
        command: click.Command = importlib.import_module(f"{self._package}.{cmd_name}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does, but an unknown name is answered with the nearest known one."""
        known = self.list_commands(ctx)
        if args and args[0] not in known and not args[0].startswith("-"):
            import difflib  # heavy, and only needed here

            near = difflib.get_close_matches(args[0], known, n=1)
            hint = (
                f" Did you mean {near[0]!r}?"
                if near
                else f" `{ctx.command_path} --help` lists them."
            )
            raise click.UsageError(f"there is no command {args[0]!r}.{hint}", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The commands by section, without importing any of them."""
        if self._start:
            with formatter.section("Start"):
                formatter.write_text(self._start)
        for title, commands in self._sections.items():
            with formatter.section(title):
                formatter.write_dl(list(commands.items()))
