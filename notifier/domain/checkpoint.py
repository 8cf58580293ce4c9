"""Checkpoints of the audit log: C2SP tlog-checkpoint text inside a C2SP signed note (c2sp.org), Ed25519."""

import re
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from dataclasses import dataclass
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

_ED25519 = b"\x01"
_MARK = "— "
_NAME = re.compile(r"[^\s+]+")
_SIZE = re.compile(r"0|[1-9][0-9]{0,18}")


class BadNote(ValueError):
    """The text is no signed note, no checkpoint, or not signed by the key that was asked for."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The log `origin` had `size` leaves with the Merkle root `root` (32 bytes)."""

    origin: str
    size: int
    root: bytes

    @property
    def text(self) -> str:
        return f"{self.origin}\n{self.size}\n{b64encode(self.root).decode()}\n"


def read_checkpoint(text: str) -> Checkpoint:
    """The checkpoint in a note's text; extension lines are allowed and skipped. Raises BadNote."""
    lines = text.split("\n")
    if len(lines) < 4 or not lines[0] or not _SIZE.fullmatch(lines[1]):
        raise BadNote("not a checkpoint")
    root = _base64(lines[2])
    if len(root) != 32:
        raise BadNote("a checkpoint's root has 32 bytes")
    return Checkpoint(lines[0], int(lines[1]), root)


@dataclass(frozen=True, slots=True)
class Verifier:
    """A public key and its name."""

    name: str
    public: bytes

    @property
    def key_id(self) -> bytes:
        """Four bytes that tell keys of one name apart (signed-note, "Signatures")."""
        return sha256(self.name.encode() + b"\n" + _ED25519 + self.public).digest()[:4]

    @property
    def text(self) -> str:
        """The verifier key as other tools read it: name+id+key."""
        return f"{self.name}+{self.key_id.hex()}+{b64encode(_ED25519 + self.public).decode()}"

    def open(self, note: str) -> str:
        """The note's text, once our signature on it holds. Other keys' signatures are skipped. Raises BadNote."""
        text, parted, signatures = note.rpartition("\n\n")
        if not parted or not signatures.endswith("\n"):
            raise BadNote("not a signed note")
        text += "\n"
        opened = False
        for line in signatures.removesuffix("\n").split("\n"):
            name, _, encoded = line.removeprefix(_MARK).rpartition(" ")
            if not line.startswith(_MARK) or not name:
                raise BadNote("not a signature line")
            signature = _base64(encoded)
            if name != self.name or signature[:4] != self.key_id:
                continue
            try:
                Ed25519PublicKey.from_public_bytes(self.public).verify(signature[4:], text.encode())
            except InvalidSignature:
                raise BadNote("the signature does not fit the text") from None
            opened = True
        if not opened:
            raise BadNote(f"not signed by {self.name}")
        return text

    def open_checkpoint(self, note: str) -> Checkpoint:
        """The checkpoint of our own log in a signed note. Raises BadNote, also for another log's."""
        checkpoint = read_checkpoint(self.open(note))
        if checkpoint.origin != self.name:
            raise BadNote(f"a checkpoint of {checkpoint.origin}, not of {self.name}")
        return checkpoint


def read_verifier(text: str) -> Verifier:
    """A verifier key from its text. Raises BadNote."""
    name, key_id, key = _key_parts(text.strip())
    verifier = Verifier(name, key)
    if key_id != verifier.key_id.hex():
        raise BadNote("the key id does not fit the key")
    return verifier


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key (32-byte seed) and its name, which is also the log's origin."""

    name: str
    seed: bytes

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name) or len(self.seed) != 32:
            raise ValueError("a signing key needs a name without spaces or plus signs and a seed of 32 bytes")

    @property
    def verifier(self) -> Verifier:
        return Verifier(self.name, Ed25519PrivateKey.from_private_bytes(self.seed).public_key().public_bytes_raw())

    @property
    def text(self) -> str:
        return f"PRIVATE+KEY+{self.name}+{self.verifier.key_id.hex()}+{b64encode(_ED25519 + self.seed).decode()}"

    def sign(self, text: str) -> str:
        """The signed note over `text`, which ends in a line feed."""
        signature = Ed25519PrivateKey.from_private_bytes(self.seed).sign(text.encode())
        return f"{text}\n{_MARK}{self.name} {b64encode(self.verifier.key_id + signature).decode()}\n"

    def sign_checkpoint(self, size: int, root: bytes) -> str:
        """The signed checkpoint of our own log."""
        return self.sign(Checkpoint(self.name, size, root).text)


def read_signing_key(text: str) -> SigningKey:
    """A signing key from its text. Raises BadNote; the error never holds the key."""
    head = "PRIVATE+KEY+"
    if not text.startswith(head):
        raise BadNote("not a signing key")
    name, key_id, seed = _key_parts(text.strip().removeprefix(head))
    key = SigningKey(name, seed)
    if key_id != key.verifier.key_id.hex():
        raise BadNote("the key id does not fit the key")
    return key


def _key_parts(text: str) -> tuple[str, str, bytes]:
    # The base64 alphabet has a plus sign too, so only the first two are separators.
    name, _, rest = text.partition("+")
    key_id, _, encoded = rest.partition("+")
    key = _base64(encoded)
    if not _NAME.fullmatch(name) or len(key) != 33 or key[:1] != _ED25519:
        raise BadNote("not an Ed25519 key")
    return name, key_id, key[1:]


def _base64(text: str) -> bytes:
    try:
        return b64decode(text, validate=True)
    except (Base64Error, ValueError):
        raise BadNote("not base64") from None
