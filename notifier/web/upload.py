"""A multipart request read part by part: fields stay small, files go to the disk as they come (RFC 7578)."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

from aiohttp import BodyPartReader, web

from notifier.errors import Invalid, TooLarge
from notifier.store.blobs import Arriving

MULTIPART = "multipart/form-data"

_CHUNK = 65_536
_PLAIN_ENCODINGS = frozenset({"", "7bit", "8bit", "binary"})
# What aiohttp raises for a body that is no multipart, is cut short, or has wrong headers.
_MALFORMED = (ValueError, AssertionError, RuntimeError, web.RequestPayloadError, web.HTTPBadRequest, LookupError)


class Upload:
    """A request's body that nobody has read yet."""

    def __init__(self, request: web.Request, media_type: str, max_bytes: int) -> None:
        self._request, self.media_type, self.max_bytes = request, media_type, max_bytes

    async def content(self) -> bytes:
        """The whole body; for the small ones that are no multipart. Raises TooLarge or Invalid."""
        return await _joined(self._request.content.iter_any(), self.max_bytes)

    async def parts(self) -> AsyncIterator["Part"]:
        """Each part in turn; one that is not read to its end is skipped. Raises Invalid for what is no multipart."""
        try:
            reader = await self._request.multipart()
            async for part in reader:
                if not isinstance(part, BodyPartReader):
                    raise Invalid(
                        "a part of the body is a multipart of its own; send each file as a part", code="malformed"
                    )
                if part.headers.get("Content-Transfer-Encoding", "").strip().lower() not in _PLAIN_ENCODINGS:
                    raise Invalid(
                        "a part is encoded; send its bytes as they are (RFC 7578 section 4.7)", code="malformed"
                    )
                yield Part(part)
        except _MALFORMED as fault:
            raise Invalid(f"the body is no complete {MULTIPART}", code="malformed") from fault


@dataclass(frozen=True, slots=True)
class Part:
    """One part. `is_file`: it has a file name."""

    _reader: BodyPartReader

    @property
    def name(self) -> str:
        return self._reader.name or ""

    @property
    def is_file(self) -> bool:
        return self._reader.filename is not None

    @property
    def filename(self) -> str:
        return self._reader.filename or ""

    @property
    def label(self) -> str:
        return str(self._reader.headers.get("Content-Type", ""))

    async def text(self, limit: int) -> bytes:
        """A field's bytes. Raises TooLarge."""
        return await _joined(self._chunks(), limit)

    async def into(self, file: Arriving) -> None:
        """The part's bytes into a file. Raises TooLarge."""
        async for chunk in self._chunks():
            await file.write(chunk)

    async def _chunks(self) -> AsyncIterator[bytes]:
        while chunk := await self._reader.read_chunk(_CHUNK):
            yield bytes(chunk)


async def _joined(chunks: AsyncIterator[bytes], limit: int) -> bytes:
    content = bytearray()
    try:
        async for chunk in chunks:
            content += chunk
            if len(content) > limit:
                raise TooLarge(f"the body is over {limit} bytes")
    except _MALFORMED as error:
        raise Invalid("the body could not be read to its end in the encoding it names", code="malformed") from error
    return bytes(content)
