"""Pages for whoever holds a name: plain words, three languages, the same facts in each, and nobody's name of ours."""

import html
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from babel.messages.pofile import read_po

from notifier import resources
from notifier.catalog import Catalog, load_catalog
from notifier.domain.program import REGISTRANT_LANGUAGES
from notifier.services import access, links
from notifier.services.access import Principal, Role
from notifier.translations import LANGUAGES, catalog, counted, translated
from notifier.web.pages.language import wanted
from tests.services.stages import HOOK, MAIL, Stage
from tests.services.test_joining import about
from tests.web.callers import Callers
from tests.web.registrant_texts import every
from tests.web.test_answer_page import opened

REPORTER = Principal("Zora Canary", "person", Role.SUBMITTER)
APPROVER = Principal("Yuri Canary", "person", Role.REVIEWER)
_PLACE = re.compile(r"%\((\w+)\)s")


@pytest.fixture(scope="module")
def shipped() -> Catalog:
    return load_catalog(resources.folder("config"))


async def noticed(stage: Stage, name: str) -> str:
    """A name about which a notice left; the path of its registrant's link."""
    for who in (REPORTER, APPROVER):
        await access.add_person(stage.ctx.db, who.id, organisation="", by="test")
    stage.r.sandbox.desk.behaviours[name] = "silent"
    said = await stage.submit(about(name), REPORTER)
    assert said.case_id is not None, said
    await stage.r.quiet()
    await stage.approve(said.case_id, APPROVER)
    await stage.pass_time(minutes=31)
    notice_id = str((await stage.notice(said.case_id))["id"])
    return f"/appeal/{notice_id}/{links.appeal_secret(stage.ctx.reply_key, notice_id)}"


def prose(page: str) -> list[str]:
    """The sentences of a page of ours; not what others wrote, nor single words of a list."""
    page = re.sub(r"<(dl|form|head|nav)\b.*?</\1>|<p class=\"(said|simulated)\">.*?</p>", " ", page, flags=re.DOTALL)
    blocks = re.findall(r"<(?:p|li|h1|h2|summary)\b[^>]*>(.*?)</(?:p|li|h1|h2|summary)>", page, re.DOTALL)
    texts = [re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]*>", "", block))).strip() for block in blocks]
    return [s for text in texts for s in re.split(r"(?<=[.?!:])\s+", text) if s]


def grade(sentences: list[str]) -> float:
    """Flesch-Kincaid grade level (Kincaid and others, 1975)."""
    words = [word for s in sentences for word in re.findall(r"[A-Za-z']+", s)]
    return 0.39 * len(words) / len(sentences) + 11.8 * sum(map(syllables, words)) / len(words) - 15.59


def syllables(word: str) -> int:
    word = word.lower().removesuffix("'s")
    groups = len(re.findall(r"[aeiouy]+", word))
    silent = (word.endswith("e") and not word.endswith(("le", "ee"))) or (
        word.endswith("ed") and word[-3:-2] not in "td"
    )
    return max(1, groups - silent)


def test_the_formula_is_right_for_a_sentence_counted_by_hand() -> None:
    # 6 words in 1 sentence; the-cat-sat-on-the-mat: 6 syllables. 0.39 * 6 + 11.8 - 15.59
    assert grade(["The cat sat on the mat."]) == pytest.approx(-1.45)
    assert [syllables(w) for w in ("name", "asked", "needed", "people", "registration")] == [1, 1, 2, 2, 4]


async def test_every_page_reads_at_eighth_grade_or_easier(callers: Callers) -> None:
    link = await noticed(callers.stage, "plain-words.com")
    form = {"grounds": "we have a licence", "contact": "me@my.example"}
    _, headers, _ = await opened(callers, link, "POST", data=form)
    _, unknown, _ = await opened(callers, "/appeal", "POST", data={**form, "domain": "plain-other.com"})
    for path in ("/", "/appeal", link, headers["Location"], unknown["Location"], "/appeal/status/" + "0" * 32):
        _, _, text = await opened(callers, path)
        said = prose(text)
        assert len(said) >= 2, path
        assert grade(said) <= 8, (path, grade(said))
        for sentence in said:
            assert len(sentence.split()) <= 25, sentence


async def test_the_link_says_what_happened_why_who_and_until_when(callers: Callers) -> None:
    stage = callers.stage
    link = await noticed(stage, "what-happened.com")
    status, headers, text = await opened(callers, link)
    words = re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]*>", " ", text)))
    assert (status, headers["X-Robots-Tag"]) == (200, "noindex, nofollow")
    for told in (
        "Your name what-happened.com",
        "to switch the name off",
        "nobody can reach its site or its mail by it",
        f"Who asked {stage.ctx.settings.organisation}",
        "Who was asked Verisign",
        "Illegal sale of opioids on the internet",
        "We have not seen that it was done",
        "It met our rules",
        "first word within 1 working day.",
        "decision with reasons within 10 working days.",
        "No machine found this",
    ):
        assert told in words, told
    assert "Canary" not in text


async def test_nobodys_name_is_on_any_of_these_pages(callers: Callers) -> None:
    link = await noticed(callers.stage, "no-names.com")
    form = {"grounds": "it is not so", "contact": "me@my.example"}
    _, headers, _ = await opened(callers, link + "?lang=es", "POST", data=form)
    assert headers["Location"].endswith("?lang=es"), "the language goes along"
    await callers.stage.r.quiet()
    for path in ("/", "/appeal", link, headers["Location"].partition("?")[0]):
        for language in LANGUAGES:
            _, _, text = await opened(callers, f"{path}?lang={language}")
            assert "Canary" not in text
    _, _, text = await opened(callers, headers["Location"])
    assert "no-names.com" in text
    assert "Su reclamación" in text
    assert "Exposición de motivos" in text, "the statement speaks the language too"
    assert "Venta ilegal de opioides" in text


@pytest.mark.parametrize(
    ("query", "header", "language", "told"),
    [
        ("", None, "en", "Tell us that we are wrong"),
        ("", "de-AT,de;q=0.9,en;q=0.5", "de", "Sagen Sie uns, dass wir uns irren"),
        ("", "fr, es;q=0.4, en;q=0.3", "es", "Díganos que nos equivocamos"),
        ("?lang=es", "de", "es", "Díganos que nos equivocamos"),
        ("?lang=xx", "de", "de", "Sagen Sie uns, dass wir uns irren"),
        ("?lang=%22%3E", None, "en", "Tell us that we are wrong"),
    ],
)
async def test_the_language_is_the_addresses_then_the_browsers(
    callers: Callers, query: str, header: str | None, language: str, told: str
) -> None:
    for path in ("/", "/appeal"):
        status, headers, text = await opened(
            callers, path + query, headers={"Accept-Language": header} if header else {}
        )
        assert status == 200
        assert f'<html lang="{language}">' in text
        assert (headers["Content-Language"], headers["Vary"]) == (language, "Accept-Language")
        assert told in text
        assert f'<a href="?lang={language}" lang="{language}" hreflang="{language}" aria-current="true">' in text
    chosen = query == "?lang=es"
    assert ('href="/appeal?lang=es"' in (await opened(callers, "/" + query))[2]) is chosen


def test_what_browsers_ask_for_is_read_as_it_is_meant() -> None:
    assert wanted("") == "en"
    assert wanted("es;q=0, de;q=0.1") == "de"
    assert wanted("de;q=nonsense, es;q=0.2") == "es"
    assert wanted("en;q=0.8, de;q=0.8") == "en"
    assert wanted("*," * 1000) == "en"


async def test_a_fault_is_told_in_the_language_with_what_was_typed(callers: Callers) -> None:
    nasty = '"><script>alert(1)</script>%(name)s {{ 7*7 }}'
    status, headers, text = await opened(callers, "/appeal?lang=de", "POST", data={"domain": nasty, "grounds": nasty})
    assert (status, headers["Content-Language"]) == (422, "de")
    assert "Bitte schreiben Sie, wie wir Sie erreichen." in text
    assert text.count("<script") == 1  # ours, which shows times
    assert "{{ 7*7 }}" in text
    status, _, text = await opened(callers, f"/appeal/{'0' * 8}-0000-0000-0000-{'0' * 12}/{'a' * 26}?lang=es")
    assert (status, "Este enlace no es válido" in text) == (404, True)


def both(language: str) -> Iterator[Any]:
    path = resources.folder("templates") / "locale" / language / "LC_MESSAGES" / "registrant.po"
    with path.open("rb") as file:
        yield from (m for m in read_po(file, locale=language) if m.id)


@pytest.mark.parametrize("language", REGISTRANT_LANGUAGES)
def test_every_text_is_translated_with_its_places(shipped: Catalog, language: str) -> None:
    messages = {m.id: m for m in both(language)}
    assert set(messages) == every(shipped), "a text has no translation, or a translation has no text"
    for text, message in messages.items():
        assert not message.fuzzy, text
        pairs = [(text, message.string)] if isinstance(text, str) else list(zip(text, message.string, strict=True))
        for ours, theirs in pairs:
            assert theirs.strip(), ours
            assert sorted(_PLACE.findall(ours)) == sorted(_PLACE.findall(theirs)), ours
            assert re.sub(_PLACE, "", theirs).count("%") == 0, "a lone % breaks the page"


def test_the_words_are_those_of_the_catalog() -> None:
    assert set(LANGUAGES) == {"en", *REGISTRANT_LANGUAGES}
    assert translated("de", "Your appeal") == "Ihr Einspruch"
    assert translated("de", "no text of ours") == "no text of ours"
    assert catalog("en") == {}
    one, many = (f"You get a first word within %(count)s working {days}." for days in ("day", "days"))
    assert counted("es", one, many, 1) == "Recibe una primera respuesta en %(count)s día laborable."
    assert counted("es", one, many, 2) == "Recibe una primera respuesta en %(count)s días laborables."
    assert counted("en", one, many, 1) == one


async def test_a_notice_speaks_to_the_registrant_in_the_programs_languages(callers: Callers) -> None:
    stage = callers.stage
    case_id = await stage.case_in_review(MAIL)
    english = await stage.preview(case_id)
    programs: Any = stage.ctx.catalog.programs
    before = programs["opioids"]
    programs["opioids"] = replace(before, registrant_languages=("de", "es"))
    try:
        more = await stage.preview(case_id)
    finally:
        programs["opioids"] = before
    assert more.digest != english.digest, "it is approved with all the rest"
    [plain], [spoken] = english.drafts, more.drafts
    assert "Ihr Domainname" not in plain.content.text
    text = spoken.content.text
    assert (
        text.index("Your domain name")
        < text.index(f"Ihr Domainname {MAIL}")
        < text.index(f"Su nombre de dominio {MAIL}")
    )
    assert text.count("/appeal/") == plain.content.text.count("/appeal/") + 2
    assert (await stage.preview(case_id)).digest == english.digest


async def test_the_pages_of_another_kind_of_channel_are_the_same(callers: Callers) -> None:
    stage = callers.stage
    case_id = await stage.notified(HOOK)
    notice_id = str((await stage.notices(case_id))[0]["id"])
    link = f"/appeal/{notice_id}/{links.appeal_secret(stage.ctx.reply_key, notice_id)}"
    await stage.pass_time(days=3)
    _, _, text = await opened(callers, link + "?lang=de")
    assert "abzuschalten" in text
    done = await stage.ctx.db.fetchval("select verdict from claim where notice_id = $1", notice_id)
    assert done in ("verified", "verified_dns_only")
    assert "gesehen, dass es getan wurde" in text
