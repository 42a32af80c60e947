"""Profiles written whole, as no part of the product does: each field of one is changed."""

from __future__ import annotations

import msgspec

from webchat.model import Profile
from webchat.ports.accounts import Accounts


async def save_profile(accounts: Accounts, profile: Profile, at: int = 1) -> None:
    """Have the store hold this profile at `at` (ms); an account that is not there is made."""
    fields = msgspec.structs.asdict(profile)
    await accounts.change_profile(fields.pop("uid"), fields, at, profile)
