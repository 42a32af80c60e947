"""The envelope of the `chat` event and the bodies of `join` and `sync`: JSON to structs and back.

Source: docs/protocol.md, sections 2 and 3. Pure; refusals are WebchatError with a code.
"""

from __future__ import annotations

import json
import math
import re
import sys
from typing import Annotated, Any, Final, TypeVar

import msgspec

from webchat.errors import Code, WebchatError
from webchat.model import MAX_MSG_ID_CHARS, ConvID, Seq, Uid
from webchat.protocol.errors import ProtocolError

_MAX_EXACT: Final = 2**53
_T = TypeVar("_T")
_JsInt = Annotated[int, msgspec.Meta(ge=-_MAX_EXACT, le=_MAX_EXACT)]
_SeqInt = Annotated[int, msgspec.Meta(ge=0, le=_MAX_EXACT)]
_Cursor = Annotated[int, msgspec.Meta(ge=0)]
_MsgId = Annotated[str, msgspec.Meta(max_length=MAX_MSG_ID_CHARS)]
_Id = Annotated[str, msgspec.Meta(max_length=140)]
"""A user's, a group's or a conversation's: the longest is that of a pair."""


class Envelope(msgspec.Struct, rename="pascal", gc=False):
    """What a client may say in a `chat` event."""

    evt_type: str
    from_: _Id = msgspec.field(name="From", default="")
    originated: _Id = ""
    to: _Id = ""
    msg_id: _MsgId = msgspec.field(name="MsgID", default="")
    timestamp: _JsInt = 0
    body: str = ""
    conv_id: _Id = msgspec.field(name="ConvID", default="")
    seq: _SeqInt = 0
    refers: _SeqInt = 0


class Extended(Envelope, rename="pascal", gc=False):
    """An envelope with optional fields of the client's own, which are passed on: `extras`, a JSON
    object in UTF-8, or b""."""

    extras: bytes = b""


class _Exact(Envelope, rename="pascal", forbid_unknown_fields=True, gc=False):
    """The common case: nothing but known fields, decoded in one step."""


class _Said(msgspec.Struct, rename="pascal", gc=False):
    """The fields every logged envelope has, in the order they go on the wire."""

    evt_type: str
    from_: str = msgspec.field(name="From")
    originated: str
    to: str
    msg_id: str = msgspec.field(name="MsgID")
    timestamp: int
    body: str


class Join(msgspec.Struct, gc=False):
    """The full form of `join`, and `sync` (docs/protocol.md, section 2).

    `uid`: who it is, where no token says so (open mode). `device`: what the device calls itself;
    nothing depends on it. `cursors`: by ConvID, the `Seq` up to which it has that log. `more`:
    further packets with cursors follow. `receipts`: conversations of which it asks how far
    everybody has come.
    """

    uid: _Id = ""
    device: str = ""
    cursors: dict[_Id, _Cursor] = {}
    more: bool = False
    receipts: list[_Id] = []


_KNOWN: Final = frozenset(field.encode_name for field in msgspec.structs.fields(Envelope))
_SERVERS_OWN: Final = frozenset({
    "N", "StoredAt", "Edited", "Deleted", "Members", "Owner", "Reactions", "more", "delivered",
    "displayed",
})  # fmt: skip
"""Fields that the server alone adds to an envelope: from a client they are not passed on."""
_RECEIPTS: Final = ("delivery", "display")
"""Of a client's events those that name an entry by `ConvID` and `Seq`."""
_NESTED_LEVELS: Final = 64
"""Of optional fields: what is stored has to be read where the stack is deeper."""
_NO_NUMBER: Final = "a number is not one that can be passed on"
"""It would be null for others, or an infinity."""
_MSG_ID: Final = re.compile(rf'"MsgID"\s*:\s*"([ !#-\[\]-~]{{1,{MAX_MSG_ID_CHARS}}})"')
"""In an event that is not decoded: one that needs no escapes."""
_CHAT_OBJECT: Final = '["chat",{'
_exact: Final = msgspec.json.Decoder(tuple[str, _Exact])
_any: Final = msgspec.json.Decoder()
encode: Final = msgspec.json.Encoder().encode


NamedEvent = tuple[str, list[Any]]
"""An event's name and arguments."""


def decode_chat(data: str, max_extras_bytes: int, max_chars: int) -> Envelope | NamedEvent:
    """The envelope of the EVENT `data` if it is a `chat`, else what else it is. What has more than
    `max_chars` and is not exactly an envelope is not looked into.

    Raises WebchatError for an envelope that is wrong, ProtocolError for what is no event.
    """
    if data.startswith(_CHAT_OBJECT):
        try:
            return _exact.decode(data)[1]
        except msgspec.DecodeError:
            pass
    if len(data) > max_chars:
        raise _too_large(data, max_chars)
    name, args = event = _split(data)
    if name != "chat":
        return event
    if not args:
        raise WebchatError(Code.BAD_REQUEST, "chat takes an envelope")
    return _lenient(args[0], max_extras_bytes)


def _too_large(data: str, most: int) -> WebchatError:
    refusal = WebchatError(Code.TOO_LARGE, f"an event has up to {most} characters")
    named = _MSG_ID.search(data)
    refusal.msg_id = named[1] if named else ""
    return refusal


def _split(data: str) -> NamedEvent:
    try:
        parts, wrong = _decoded(data)
    except RecursionError as error:
        raise ProtocolError("nested too deeply") from error
    except ValueError as error:
        raise ProtocolError("an event is not JSON") from error
    if not isinstance(parts, list) or not parts or not isinstance(parts[0], str):
        raise ProtocolError("an event is an array that begins with its name")
    if wrong:
        refusal = _refusal(wrong, parts[1] if len(parts) > 1 else None)
        if parts[0] != "chat":
            refusal.msg_id = None
        raise refusal
    return parts[0], parts[1:]


def _decoded(text: str) -> tuple[object, str]:
    """What JSON says, and what of it cannot be passed on, in words: "" if all can. Raises
    ValueError if it is no JSON, RecursionError."""
    try:
        return _any.decode(text), ""
    except msgspec.DecodeError:
        pass
    said = json.loads(text, parse_int=_number)
    try:
        json.dumps(said, ensure_ascii=False, allow_nan=False).encode()
    except UnicodeEncodeError:
        return said, "a text is not valid Unicode"
    except ValueError:
        return said, _NO_NUMBER
    return said, ""


def _number(digits: str) -> float:
    """A whole number, or the infinity that it is as a double: it may be too long for an `int`."""
    as_double = float(digits)
    return int(digits) if math.isfinite(as_double) else as_double


def _refusal(wrong: str, envelope: object) -> WebchatError:
    """BAD_REQUEST with the MsgID of the envelope it is about, if that has one to quote."""
    refusal = WebchatError(Code.BAD_REQUEST, wrong)
    said = envelope.get("MsgID") if isinstance(envelope, dict) else None
    if isinstance(said, str):
        refusal.msg_id = said[:MAX_MSG_ID_CHARS].encode(errors="ignore").decode()
    return refusal


def _lenient(argument: object, max_extras_bytes: int) -> Envelope:
    """An envelope as an object or a JSON string of it, with whatever optional fields it has."""
    if isinstance(argument, str):
        argument = _of_text(argument)
    if not isinstance(argument, dict):
        raise WebchatError(Code.BAD_REQUEST, "the envelope is not an object")
    known = {key: value for key, value in argument.items() if key in _KNOWN}
    own = {key: value for key, value in argument.items() if not _is_ours(key)}
    extras = encode(own) if own else b""
    if known.get("EvtType") not in _RECEIPTS:  # Elsewhere these are the server's.
        known.pop("ConvID", None)
        known.pop("Seq", None)
    if isinstance(known.get("Timestamp"), float) and abs(known["Timestamp"]) < _MAX_EXACT:
        known["Timestamp"] = int(known["Timestamp"])
    if isinstance(known.get("Seq"), int):
        known["Seq"] = min(known["Seq"], _MAX_EXACT)  # Beyond the last entry counts as the last.
    try:
        if len(extras) > max_extras_bytes:
            raise WebchatError(
                Code.TOO_LARGE, f"the optional fields are over {max_extras_bytes} bytes together"
            )
        _check_values(own, _NESTED_LEVELS)
        envelope = _convert(known, Extended)
    except WebchatError as error:
        said = known.get("MsgID", "")
        error.msg_id = said[:MAX_MSG_ID_CHARS] if isinstance(said, str) else ""
        raise
    envelope.extras = extras
    return envelope


def _is_ours(key: str) -> bool:
    """Whether a field has a meaning of its own, also to whoever reads names up to a NUL."""
    name = key.partition("\0")[0]
    return name in _KNOWN or name in _SERVERS_OWN


def _of_text(text: str) -> object:
    """What the JSON string of an envelope holds. Raises WebchatError(BAD_REQUEST)."""
    try:
        said, wrong = _decoded(text)
    except (ValueError, RecursionError):
        raise WebchatError(Code.BAD_REQUEST, "the envelope is not JSON") from None
    if wrong:
        raise _refusal(wrong, said)
    return said


def _check_values(value: object, levels: int) -> None:
    """Raises WebchatError(BAD_REQUEST) where arrays and objects in `value` go deeper than `levels`,
    and for whole numbers beyond what a double holds."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        if levels < 0:
            raise WebchatError(
                Code.BAD_REQUEST, f"the optional fields are nested over {_NESTED_LEVELS} levels"
            )
        for each in value:
            _check_values(each, levels - 1)
    elif isinstance(value, int) and abs(value) > sys.float_info.max:
        raise WebchatError(Code.BAD_REQUEST, _NO_NUMBER)


def decode_join(argument: object) -> Join:
    """The body of a full-form `join` or a `sync`. Raises WebchatError(BAD_REQUEST)."""
    if not isinstance(argument, dict):
        raise WebchatError(Code.BAD_REQUEST, "join takes a user's id, or an object with cursors")
    return _convert(argument, Join)


def _convert(value: object, into: type[_T]) -> _T:
    try:
        return msgspec.convert(value, into)
    except msgspec.ValidationError as error:
        raise WebchatError(Code.BAD_REQUEST, str(error)) from None


def encode_said(
    kind: str, sender: Uid, originated: str, to: str, envelope: Envelope, body: str
) -> bytes:
    """The JSON object of a logged envelope, without the server's fields: what a Draft carries."""
    encoded = encode(_Said(kind, sender, originated, to, envelope.msg_id, envelope.timestamp, body))
    if envelope.refers:
        encoded = encoded[:-1] + b',"Refers":%d}' % envelope.refers
    if type(envelope) is Extended and envelope.extras:
        return encoded[:-1] + b"," + envelope.extras[1:]
    return encoded


def with_field(said: bytes, name: str, value: str) -> bytes:
    """A logged envelope with an optional field of the server's."""
    return said[:-1] + b"," + encode({name: value})[1:]


class Sealed(msgspec.Struct, rename="pascal", gc=False):
    """What a node reads of an entry's envelope that another node published."""

    evt_type: str
    from_: str = msgspec.field(name="From")
    originated: str
    msg_id: str = msgspec.field(name="MsgID")
    conv_id: ConvID = msgspec.field(name="ConvID")
    seq: Seq
    stored_at: int
    n: int = 0


decode_sealed: Final = msgspec.json.Decoder(Sealed).decode
