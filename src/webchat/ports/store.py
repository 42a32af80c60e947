"""What a store is as a whole: its ports in one hand, its life, and its checks."""

from __future__ import annotations

from typing import Final, Literal, Protocol

from webchat.ports.accounts import Accounts, Logins
from webchat.ports.following import Following
from webchat.ports.held import Held
from webchat.ports.invitations import Invitations
from webchat.ports.kept import KeptReceipts
from webchat.ports.links import InviteLinks
from webchat.ports.log import Log
from webchat.ports.members import Members
from webchat.ports.nodes import Nodes
from webchat.ports.positions import Positions
from webchat.ports.transfer import Transfer

Mode = Literal["secured", "open"]


class Store(Protocol):
    """All ports that one vendor implements together."""

    log: Log
    members: Members
    following: Following
    positions: Positions
    accounts: Accounts
    logins: Logins
    kept: KeptReceipts
    held: Held
    invitations: Invitations
    links: InviteLinks
    nodes: Nodes
    transfer: Transfer

    async def open(self, mode: Mode) -> None:
        """Be ready. Of a file the schema is made or migrated; elsewhere that is the operator's.
        Raises StoreRefused with words for people: another process serves it, the other mode, no
        schema or one of a version that cannot be served, no access, an import into it that did not
        come to its end."""

    async def trouble(self) -> str:
        """Why the store does not serve as it should now, for `/readyz`; "": it does."""

    async def close(self) -> None:
        """Finish what is queued, then let go."""


class StoreRefused(Exception):  # noqa: N818
    """The store cannot be used; the message says why and what to do, for a person at a terminal."""


class OtherMode(StoreRefused):
    """The store was made in the other mode than the one that `open` was told."""


def made_in_other_mode(name: str, made_in: str, mode: Mode, other: str) -> OtherMode:
    """What `open` raises of a store that was `made_in` the other mode. `name`: of the store;
    `other`: what can be named in its stead, "another file" say."""
    flag = "with --open" if made_in == "open" else "without --open"
    return OtherMode(
        f"{name} was made in {made_in} mode and cannot be used in {mode} mode: "
        f"start it {flag}, or name {other}"
    )


UNFINISHED_IMPORT: Final = "holds a part of an import alone, which did not come to its end"
"""What is wrong with a store that `Transfer.begin` has marked."""

Finding = str
"""One line on what is wrong with a store, for `webchat check`."""
