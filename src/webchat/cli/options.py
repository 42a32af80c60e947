"""Options and environment variables of the commands, derived from the fields of `Settings`."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import Field, fields
from functools import cache
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

import click
from click.core import ParameterSource

from webchat.config import ENV_PREFIX, Settings, env_name, option_name

F = TypeVar("F", bound=Callable[..., Any])


def settings_options(names: Iterable[str] | None = None) -> Callable[[F], F]:
    """Decorate a command with the options of these fields (None: all), in their order."""
    wanted = None if names is None else frozenset(names)
    specs = [spec for spec in fields(Settings) if wanted is None or spec.name in wanted]

    def decorate(command: F) -> F:
        for spec in reversed(specs):
            command = _option(spec)(command)
        return command

    return decorate


def unknown_variables() -> list[str]:
    """Environment variables that look like settings and are none: mistyped, mostly."""
    known = {env_name(spec.name) for spec in fields(Settings)}
    return sorted(name for name in os.environ if name.startswith(ENV_PREFIX) and name not in known)


def _option(spec: Field[Any]) -> Callable[[F], F]:
    hint = _hints()[spec.name]
    return click.option(
        option_name(spec.name),
        spec.name,
        cls=_Option,
        envvar=env_name(spec.name),
        default=spec.default,
        show_default=spec.default not in (None, "", (), False),
        help=spec.metadata["help"],
        **_parsing(hint),
    )


@cache
def _hints() -> dict[str, Any]:
    """The types of all fields, resolved once: that is what costs."""
    return get_type_hints(Settings)


def _parsing(hint: Any) -> dict[str, Any]:
    """How click has to read a field of that type."""
    if hint is bool:
        return {"is_flag": True}
    if get_origin(hint) is tuple:
        return {"multiple": True, "type": str}
    if get_origin(hint) is Literal:
        return {"type": click.Choice(get_args(hint))}
    if get_origin(hint) is UnionType:
        (hint,) = (part for part in get_args(hint) if part is not NoneType)
    if hint is Path:
        return {"type": _Directory(file_okay=False, path_type=Path)}
    return {"type": hint}


class _Option(click.Option):
    """An option whose complaints name what the value came from: it, or its variable."""

    def get_error_hint(self, ctx: click.Context | None) -> str:
        """What is named in front of what is wrong."""
        if ctx and ctx.get_parameter_source(self.name) is ParameterSource.ENVIRONMENT:
            return str(self.envvar)
        return super().get_error_hint(ctx)


class _Directory(click.Path):
    """A path of some characters: none would be the current directory."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The path. Raises click.BadParameter."""
        if value == "":
            self.fail("It names no directory; write . for this one.", param, ctx)
        return super().convert(value, param, ctx)
