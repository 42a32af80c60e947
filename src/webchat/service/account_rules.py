"""What an account's fields may hold: pure checks for the web and the command.

Source: docs/protocol.md, sections 3 and 8. Each check raises WebchatError(BAD_REQUEST) with a
message for the person who filled in the field.
"""

from __future__ import annotations

import unicodedata
from typing import Final, Literal, get_args

from webchat.errors import Code, WebchatError
from webchat.model import MAX_NAME_CHARS, Uid, is_uid

MAX_ABOUT_CHARS: Final = 500
MIN_PASSWORD_CHARS: Final = 8
MAX_PASSWORD_CHARS: Final = 256
WhoMayAddMe = Literal["everybody", "shared"]
WHO_MAY_ADD_ME: Final[tuple[str, ...]] = get_args(WhoMayAddMe)

_UNPRINTABLE: Final = frozenset({"Cc", "Cs", "Zl", "Zp"})
# A name must not reorder the text around it (Unicode TR 36, section 2.7: bidirectional spoofing).
_REORDERING: Final = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
# What is not seen by itself: formats, spaces, marks; and letters, symbols and unassigned characters
# that are blank (Unicode: Default_Ignorable_Code_Point; U+2800 is the empty Braille pattern).
_UNSEEN: Final = frozenset({"Cc", "Cf", "Cs", "Me", "Mn", "Zl", "Zp", "Zs"})
_BLANK: Final = frozenset("\u115f\u1160\u2065\u2800\u3164\uffa0") | frozenset(
    map(chr, (*range(0xFFF0, 0xFFF9), *range(0xE0000, 0xE1000)))
)


def check_uid(uid: Uid) -> None:
    """A user's id has the form of protocol section 3."""
    if not is_uid(uid):
        raise WebchatError(
            Code.BAD_REQUEST,
            "A user ID is 1 to 64 of the characters A-Z a-z 0-9 . _ @ + - "
            "and does not begin with group_.",
        )


def check_new_uid(uid: Uid) -> None:
    """A uid that an account may be made for: `.` and `..` in an address are taken for a way up."""
    check_uid(uid)
    if uid in {".", ".."}:
        raise WebchatError(Code.BAD_REQUEST, "A user ID does not consist of dots alone.")


def clean_name(name: str) -> str:
    """The name as it is kept: stripped, 1 to 64 characters, all of which print and one of
    which is seen."""
    stripped = name.strip()
    if not 1 <= len(stripped) <= MAX_NAME_CHARS:
        raise WebchatError(Code.BAD_REQUEST, f"A name has 1 to {MAX_NAME_CHARS} characters.")
    if not all(map(_is_plain, stripped)):
        raise WebchatError(Code.BAD_REQUEST, "A name has no control characters.")
    if not any(map(_is_seen, stripped)):
        raise WebchatError(Code.BAD_REQUEST, "A name has a character that can be seen.")
    return stripped


def clean_about(about: str) -> str:
    """The text about oneself as it is kept: stripped, up to 500 characters, line breaks allowed."""
    stripped = about.strip()
    if len(stripped) > MAX_ABOUT_CHARS:
        raise WebchatError(Code.BAD_REQUEST, f"This text has up to {MAX_ABOUT_CHARS} characters.")
    if not all(character == "\n" or _is_plain(character) for character in stripped):
        raise WebchatError(Code.BAD_REQUEST, "This text has no control characters.")
    return stripped


def check_password(password: str) -> None:
    """A new password has 8 to 256 characters, whichever they are (NIST SP 800-63B, 5.1.1.2)."""
    if not MIN_PASSWORD_CHARS <= len(password) <= MAX_PASSWORD_CHARS:
        raise WebchatError(
            Code.BAD_REQUEST,
            f"A password has {MIN_PASSWORD_CHARS} to {MAX_PASSWORD_CHARS} characters.",
        )


def check_who_may_add_me(choice: str) -> None:
    """The setting is one of `WHO_MAY_ADD_ME`."""
    if choice not in WHO_MAY_ADD_ME:
        raise WebchatError(
            Code.BAD_REQUEST, f"who_may_add_me is one of: {', '.join(WHO_MAY_ADD_ME)}."
        )


def _is_plain(character: str) -> bool:
    return unicodedata.category(character) not in _UNPRINTABLE and character not in _REORDERING


def _is_seen(character: str) -> bool:
    return unicodedata.category(character) not in _UNSEEN and character not in _BLANK
