"""`webchat user`: accounts from a terminal, beside a server, which sees the change in a second."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any

import click

from webchat.cli.store import existing_store, opened_store, place
from webchat.config import Settings

if TYPE_CHECKING:
    from webchat.ports.store import Store
    from webchat.service.administration import Administration

_Act = Callable[["Administration"], Awaitable[None]]
_Opening = Callable[[Settings], AbstractAsyncContextManager["Store"]]


@click.group(short_help="Add, list, disable and enable accounts; set passwords.")
def user() -> None:
    """Add accounts, set passwords, disable and enable accounts, and list them.

    Example: webchat user add alice --name "Alice Kim"
    """


@user.command(short_help="Add an account.")
@click.argument("uid")
@click.option("--name", default="", help="What others see (default: the UID).")
@place
def add(uid: str, name: str, **where: Any) -> None:
    """Add an account; its password is asked for, or read as a line from standard input.

    Example: webchat user add alice --name "Alice Kim"
    """
    try:
        _text(name)
    except UnicodeError:
        raise click.ClickException("the name is no text in UTF-8") from None
    _administer(where, lambda accounts: accounts.expect_none(uid, name or uid), opened_store)
    password = _new_password()
    _administer(where, lambda accounts: accounts.add(uid, name or uid, password), opened_store)
    click.echo(f"{uid}: added")


@user.command(short_help="Set a password and end the account's logins.")
@click.argument("uid")
@place
def passwd(uid: str, **where: Any) -> None:
    """Set a password and end the account's logins; asked for, or read from standard input.

    Example: webchat user passwd alice
    """
    _administer(where, lambda accounts: accounts.expect(uid))
    password = _new_password()
    _administer(where, lambda accounts: accounts.passwd(uid, password))
    click.echo(f"{uid}: password set, logins ended")


@user.command(short_help="Refuse an account; its messages stay.")
@click.argument("uid")
@place
def disable(uid: str, **where: Any) -> None:
    """Refuse an account from now on and end its logins; its messages stay.

    Nobody can log in to it, what is connected is closed within a second, and others do not find it
    or add it to groups. webchat user enable takes it again.

    Example: webchat user disable alice
    """
    _administer(where, lambda accounts: accounts.disable(uid))
    click.echo(f"{uid}: disabled, logins ended")


@user.command(short_help="Take a disabled account again.")
@click.argument("uid")
@place
def enable(uid: str, **where: Any) -> None:
    """Take a disabled account again, with its password; the logins that it had stay ended.

    Example: webchat user enable alice
    """
    _administer(where, lambda accounts: accounts.enable(uid))
    click.echo(f"{uid}: enabled")


@user.command(name="list")
@place
def list_(**where: Any) -> None:
    """List all accounts: uid, name and state, separated by tabs.

    Example: webchat user list
    """
    _administer(where, _print_all)


async def _print_all(accounts: Administration) -> None:
    async for profile in accounts.list():
        state = "disabled" if profile.disabled else "enabled"
        click.echo(f"{profile.uid}\t{profile.name}\t{state}")


def _new_password() -> str:
    """Never from the command line: other users of the machine can read that."""
    if not sys.stdin:
        raise click.ClickException("standard input is closed: there is no password")
    try:
        if sys.stdin.isatty():
            return _text(click.prompt("Password", hide_input=True, confirmation_prompt=True))
        return _text(sys.stdin.readline().rstrip("\r\n"))
    except UnicodeError:
        raise click.ClickException("the password is no text in UTF-8") from None


def _text(given: str) -> str:
    """What was given; raises UnicodeError if it had bytes that are no text."""
    given.encode()
    return given


def _administer(where: dict[str, Any], act: _Act, opening: _Opening = existing_store) -> None:
    """Do `act` on the accounts of the store that the options name."""
    from webchat.ports.store import OtherMode, StoreRefused

    settings = Settings(**where)
    try:
        asyncio.run(_beside_a_server(opening(settings), act))
    except OtherMode as error:
        name = settings.store_name
        raise StoreRefused(f"{name} is in open mode, where there are no accounts") from error


async def _beside_a_server(opening: AbstractAsyncContextManager[Store], act: _Act) -> None:
    from webchat.adapters.memory import LoopClock
    from webchat.service.administration import Administration
    from webchat.service.passwords import Passwords, PasswordSettings

    async with opening as store:
        passwords = Passwords(PasswordSettings())
        try:
            await act(Administration(store.accounts, store.logins, passwords, LoopClock()))
        finally:
            passwords.close()
