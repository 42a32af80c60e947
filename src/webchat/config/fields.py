"""How a setting is declared, what it is called as an option and a variable, and its bounds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any, Final

ENV_PREFIX: Final = "WEBCHAT_"


class SettingsError(ValueError):
    """A setting that cannot be; the message is one line for a person at a terminal."""


def setting(default: object, help_text: str, **about: object) -> Any:
    """A field of a dataclass with its help; `about`: `least` and `most`, both included."""
    return field(default=default, metadata={"help": help_text, **about})


def amount(default: int, help_text: str, least: int = 1, most: int | None = None) -> Any:
    """A field that holds a number, with its bounds."""
    return setting(default, help_text, least=least, most=most)


def option_name(field_name: str) -> str:
    """`rate_burst` → `--rate-burst`."""
    return "--" + field_name.replace("_", "-")


def env_name(field_name: str) -> str:
    """`rate_burst` → `WEBCHAT_RATE_BURST`."""
    return ENV_PREFIX + field_name.upper()


def check_bounds(name: str, value: object, about: Mapping[str, Any]) -> None:
    """Raises SettingsError if an int is outside of what its field's metadata allows."""
    if not isinstance(value, int) or isinstance(value, bool):
        return
    least, most = about.get("least"), about.get("most")
    if least is not None and value < least:
        raise SettingsError(f"{name} is {value}, but at least {least} is needed")
    if most is not None and value > most:
        raise SettingsError(f"{name} is {value}, but at most {most} is possible")
