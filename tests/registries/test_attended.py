"""The suite for channels that a person carries: nothing leaves by itself, and what that person gets is what was approved."""

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from io import BytesIO
from typing import Any

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st
from pypdf import PdfReader

from notifier.adapter import AgreementChannel, Receipt, RefusedForGood, RenderedNotice
from notifier.domain.epp import Measure
from notifier.errors import Invalid
from notifier.rendering import Ask, Recipient, Renderer, content_digest
from notifier.resources import folder
from registries import ADAPTERS, webform
from tests.registries.channels import ATTENDED, IDENTITY, AttendedChannel, deps, form_url, webform_adapter
from tests.registries.sample_facts import TOKEN, facts
from tests.registries.test_conformance import HOSTILE, hostile, tampered

RENDERER = Renderer(folder("templates"))
KEY = "notice.1"


@pytest.fixture(params=ATTENDED, ids=lambda channel: channel.name)
def channel(request: pytest.FixtureRequest) -> AttendedChannel:
    chosen: AttendedChannel = request.param
    return chosen


@dataclass
class FormServer:
    """A form on this machine: what it was asked, and the code that it answers with."""

    port: int = 0
    code: int = 200
    asked: list[tuple[str, bytes]] = field(default_factory=list)


@asynccontextmanager
async def form_server() -> AsyncIterator[FormServer]:
    server = FormServer()

    async def answer(request: web.Request) -> web.Response:
        server.asked.append((request.method, await request.read()))
        return web.Response(status=server.code, text="<form></form>")

    app = web.Application()
    app.router.add_route("*", "/form", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    server.port = runner.addresses[0][1]
    yield server
    await runner.cleanup()


def to(channel: AttendedChannel, port: int = 9, **changes: Any) -> RenderedNotice:
    recipient = Recipient("opioids.sandbox", "registry", "Sandbox Registry", channel.address(port))
    return RENDERER.notice(facts(recipient=recipient, **changes))


def to_form(**changes: Any) -> RenderedNotice:
    return to(ATTENDED[0], **changes)


def bare(text: str) -> str:
    return "".join(char for char in text if not char.isspace() and char != "|")


def said(files: Any) -> str:
    """Everything that the files say, letters too, without blanks."""
    texts = []
    for file in files:
        if file.media_type == "application/pdf":
            pages = [page.extract_text() for page in PdfReader(BytesIO(file.content)).pages]
            texts.append("".join(page.split("SHA-256 of the notice:")[0] for page in pages))
        elif file.media_type == "text/plain":
            texts.append(file.content.decode())
    return bare("\n".join(texts))


# --- every attended channel ---------------------------------------------------------------------------------------


async def test_it_is_attended_and_sends_nothing(channel: AttendedChannel) -> None:
    async with form_server() as server:
        adapter, notice = channel.adapter(server.port), to(channel, server.port)
        assert adapter.capabilities.attended
        assert not adapter.capabilities.polls
        with pytest.raises(RefusedForGood):
            await adapter.send(notice, KEY)
        with pytest.raises(RefusedForGood):
            await adapter.withdraw(Receipt(True, "", "", KEY), notice, KEY)
        assert await adapter.poll(Receipt(True, "", "", KEY)) is None
    assert server.asked == []


def test_the_person_gets_what_was_approved(channel: AttendedChannel) -> None:
    notice = to(channel)
    files = channel.adapter(9).material(notice)
    assert bare(notice.text) in said(files)
    assert notice.digest in said(files) or any(f.media_type == "application/pdf" for f in files)
    for file in files:
        assert hashlib.sha256(file.content).hexdigest() == file.sha256
    assert content_digest(notice) == notice.digest
    assert channel.adapter(9).place == channel.address(9)


def test_the_same_notice_gives_the_same_bytes(channel: AttendedChannel) -> None:
    one, other = (channel.adapter(9).material(to(channel)) for _ in range(2))
    assert list(one) == list(other)


def test_a_withdrawal_is_carried_too(channel: AttendedChannel) -> None:
    undo = to(channel, purpose="withdrawal", ask=Ask(Measure.RESTORE, "restore", Measure.HOLD), thread_key=KEY)
    assert bare("Requested action: restore") in said(channel.adapter(9).material(undo))


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_text_is_content_alone(channel: AttendedChannel, text: str) -> None:
    plain, notice = to(channel), to(channel, **hostile(text))
    files = channel.adapter(9).material(notice)
    assert [f.filename for f in files] == [f.filename for f in channel.adapter(9).material(plain)]


@pytest.mark.parametrize(
    "changes",
    [
        {"subject": "Request\r\nBcc: x@y.example"},
        {"recipient_name": "Registry\nBcc: x@y.example"},
        {"agreement_id": "piracy.other"},
        {"recipient_address": "https://elsewhere.example/form"},
    ],
    ids=["subject", "name", "agreement", "address"],
)
def test_what_must_not_leave_is_given_to_nobody(channel: AttendedChannel, changes: dict[str, object]) -> None:
    notice = tampered(to(channel), **changes)
    with pytest.raises(RefusedForGood):
        channel.adapter(9).material(notice)


async def test_check_sends_nothing(channel: AttendedChannel) -> None:
    async with form_server() as server:
        assert await channel.adapter(server.port).check() == []
    assert server.asked == ([("GET", b"")] if channel.reaches else [])


async def test_check_names_what_is_wrong(channel: AttendedChannel) -> None:
    if not channel.reaches:
        pytest.skip("nothing can be reached")
    async with form_server() as server:
        for server.code in (404, 410, 500, 302):
            assert len(await channel.adapter(server.port).check()) == 1
        port = server.port
    (problem,) = await channel.adapter(port).check()
    assert problem.what
    assert problem.expected


# --- forms --------------------------------------------------------------------------------------------------------


def test_every_field_has_its_value() -> None:
    adapter = webform_adapter(9, fields={name: name for name in sorted(webform.FIELDS)})
    notice = to_form()
    assert {f.label: f.value for f in adapter.fields(notice)} == {
        "domain": "pills-now.example",
        "url": "https://pills-now.example/tramadol?x=1",
        "subject": notice.subject,
        "text": notice.text,
        "measure": "hold",
        "measure_word": "registry hold",
        "purpose": "request",
        "case_ref": "TN-2026-000123",
        "notice_id": notice.notice_id,
        "digest": notice.digest,
        "issued_at": "2026-11-25T14:30:00+00:00",
        "recipient_name": "Sandbox Registry",
        "organisation": IDENTITY.organisation,
        "contact": IDENTITY.mail_from,
        "reply_address": f"notices+{TOKEN}@replies.notifier.example",
    }


def test_the_copy_text_keeps_the_forms_order() -> None:
    fields = {"Why": "text", "Type": {"text": "Illegal pharmacy"}, "Domain": "domain", "What is wanted": "measure_word"}
    notice = to_form()
    form, text, xarf, *rest = webform_adapter(9, fields=fields).material(notice)
    assert form.content.decode() == (
        "Form: http://127.0.0.1:9/form\n"
        f"Notice: {notice.notice_id}\n"
        f"SHA-256 of the notice: {notice.digest}\n"
        "Copy each value into the field of the same name, as it stands and whole.\n"
        "\n1. Why\n    (everything in notice.txt)\n"
        "\n2. Type\n    Illegal pharmacy\n"
        "\n3. Domain\n    pills-now.example\n"
        "\n4. What is wanted\n    registry hold\n"
    )
    assert (text.filename, text.content) == ("notice.txt", notice.text.encode())
    assert (xarf.filename, xarf.content) == ("xarf.json", notice.xarf)
    assert rest == list(notice.attachments)


@given(st.text(), st.text(), st.sampled_from(HOSTILE))
def test_no_value_passes_for_a_field_of_its_own(one: str, other: str, third: str) -> None:
    """Whatever a value says, only the labels of the agreement stand at the edge of a line."""
    fields = {"Domain": "domain", "Subject": "subject", "Measure": "measure_word", "Link": "url", "Text": "text"}
    hidden = f"{one}\n2. Domain\ninnocent.example\n{third}\r\n\u2028Domain: {other}"
    notice = to_form(**hostile(hidden))
    form = webform_adapter(9, fields=fields).material(notice)[0].content.decode()
    body = form.split("\n\n", 1)[1]
    edge = [line for line in body.split("\n") if line and not line.startswith("    ")]
    assert edge == [f"{n}. {label}" for n, label in enumerate(fields, 1)]
    assert body.splitlines() == body.rstrip("\n").split("\n"), "no other character ends a line"


def test_a_text_that_does_not_fit_is_refused_whole() -> None:
    notice = to_form(description="\U0001f48a" * 10)
    length = len(notice.text) + 10  # the pill is one character and two UTF-16 code units
    assert webform_adapter(9, max_chars=length).material(notice)
    with pytest.raises(RefusedForGood, match=f"{length} characters and the form takes {length - 1}"):
        webform_adapter(9, max_chars=length - 1).material(notice)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"form": "http://registry.example/form"}, "https"),
        ({"form": "ftp://registry.example/form"}, "https"),
        ({"form": "https://user@registry.example/form"}, "https"),
        ({"form": "https://registry.example/a b"}, "https"),
        ({"form": "https://["}, "https"),
        ({"form": 7}, "https"),
        ({"fields": {}}, "table"),
        ({"fields": {"Domain": "domain"}}, "no field for text"),
        ({"fields": {"Text": "text"}}, "no field for domain"),
        ({"fields": {"Domain": "domian", "Text": "text"}}, "expected one of"),
        ({"fields": {"Two\nlines": "domain", "Text": "text"}}, "on one line"),
        ({"fields": {"D": "domain", "T": "text", "K": {"text": "a\nb"}}}, "one line"),
        ({"fields": {"D": "domain", "T": "text", "K": {"words": "a"}}}, "expected one of"),
        ({"max_chars": 0}, "characters"),
        ({"max_chars": True}, "characters"),
        ({"within": "soon"}, "duration"),
        ({"within": "0s"}, "duration"),
        ({"fileds": {}}, "not known"),
    ],
)
def test_an_address_that_cannot_be_used(changes: dict[str, Any], says: str) -> None:
    address = {"form": "https://registry.example/form"} | changes
    with pytest.raises(Invalid, match=says):
        ADAPTERS["webform"](AgreementChannel("opioids.sandbox", "webform", address, "Sandbox"), deps())


def test_a_day_without_another_word() -> None:
    assert webform_adapter(9).within == timedelta(days=1)
    assert webform_adapter(9, within="90min").within == timedelta(minutes=90)
    assert form_url(9) == webform_adapter(9).place
