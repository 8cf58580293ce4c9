"""Captures as WARC 1.1 (ISO 28500:2017): one compressed file for a page with all its visitors."""

import io
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

from notifier.domain.hostile import one_line
from notifier.net.capture import Exchange, Headers, Visit

# The body is kept as it was after these were taken off, so the head may not promise them (as pywb does).
_TAKEN_OFF = frozenset({"transfer-encoding"})


def archive(url: str, visits: Sequence[Visit], at: datetime, operator: str) -> bytes:
    """The file: warcinfo; then for each visitor what it is, each request and each answer, and how its way ended.

    `at` is when the capture began; `operator` says who made it.
    """
    out = io.BytesIO()
    writer = WARCWriter(out, gzip=True, warc_version="1.1")
    info = {
        "software": "trusted-notifier",
        "operator": one_line(operator),
        "format": "WARC File Format 1.1",
        "description": one_line(url),
    }
    about = writer.create_warcinfo_record(None, info)
    about.rec_headers.replace_header("WARC-Date", _date(at))
    writer.write_record(about)
    for visit in visits:
        answers = [_write(writer, exchange, at) for exchange in visit.exchanges]
        told = {"visitor": visit.visitor.name, "looks-like": visit.visitor.told, "ended": visit.why}
        body = "".join(f"{name}: {value}\r\n" for name, value in told.items()).encode()
        named = {"WARC-Date": _date(at), **({"WARC-Concurrent-To": answers[-1]} if answers else {})}
        writer.write_record(
            writer.create_warc_record(
                url, "metadata", io.BytesIO(body), warc_content_type="application/warc-fields", warc_headers_dict=named
            )
        )
    return out.getvalue()


def _write(writer: WARCWriter, exchange: Exchange, at: datetime) -> str:
    """Both records of an exchange; the answer's id."""
    stamped = {"WARC-Date": _date(at + timedelta(seconds=exchange.after)), "WARC-IP-Address": exchange.address}
    cut = {"WARC-Truncated": "length"} if exchange.cut else {}
    reason = exchange.reason.encode("ascii", "replace").decode()
    answer = writer.create_warc_record(
        exchange.url,
        "response",
        io.BytesIO(exchange.body),
        http_headers=StatusAndHeaders(f"{exchange.status} {reason}", _kept(exchange.answer), protocol="HTTP/1.1"),
        warc_headers_dict=stamped | cut,
    )
    path = exchange.url.split("/", 3)[3] if exchange.url.count("/") > 2 else ""
    request = writer.create_warc_record(
        exchange.url,
        "request",
        http_headers=StatusAndHeaders(f"GET /{path} HTTP/1.1", _kept(exchange.request), is_http_request=True),
        warc_headers_dict=dict(stamped),
    )
    writer.write_request_response_pair(request, answer)
    return str(answer.rec_headers.get_header("WARC-Record-ID"))


def _kept(headers: Headers) -> list[tuple[str, str]]:
    return [(f"X-Archive-Orig-{n}" if n.lower() in _TAKEN_OFF else n, v) for n, v in headers]


def _date(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
