"""What the documents say is so: generated blocks, links, commands, examples. `python -m tests.docs.write` mends blocks."""

import re
import shutil
import tomllib
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import web

from notifier import catalog
from notifier.adapter import AgreementChannel, Deferred, RefusedForGood, RegistryAdapter, RenderedNotice, Uncertain
from notifier.domain.epp import Measure
from notifier.rendering import Renderer
from notifier.resources import folder
from registries import ADAPTERS
from tests.docs import blocks, codes, examples
from tests.docs.examples import EXAMPLES
from tests.registries import channels
from tests.registries.sample_facts import facts

ROOT = Path(__file__).parents[2]
WITH_LINKS = (*blocks.DOCUMENTS, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *ROOT.glob("config/*/README.md"))
WITH_COMMANDS = (*blocks.DOCUMENTS, ROOT / "CONTRIBUTING.md")


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def code_in(text: str) -> str:
    """All code of a document, a span or a line of a fence on each line."""
    fences = re.findall(r"(?ms)^```\w*\n(.*?)^```$", text)
    spans = re.findall(r"`([^`\n]+)`", re.sub(r"(?ms)^```.*?^```$", "", text))
    return "\n".join([*fences, *spans])


# --- generated blocks ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", blocks.DOCUMENTS, ids=name_of)
def test_blocks_say_what_the_code_says(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert blocks.filled(text) == text, "run: python -m tests.docs.write"


def test_every_block_stands_somewhere() -> None:
    found = [name for path in blocks.DOCUMENTS for name in blocks.names_in(path.read_text(encoding="utf-8"))]
    assert sorted(found) == sorted([*blocks.BLOCKS, *blocks.KEEPING])


@pytest.mark.parametrize("name", blocks.KEEPING)
def test_no_row_lacks_its_words(name: str) -> None:
    (text,) = [path.read_text() for path in blocks.DOCUMENTS if name in blocks.names_in(path.read_text())]
    table = text.split(f"<!-- {name} -->\n")[1].split(f"<!-- /{name} -->")[0]
    assert [line for line in table.splitlines() if line.endswith("|  |")] == []


def test_a_changed_block_is_noticed() -> None:
    text = (ROOT / "docs/operating.md").read_text(encoding="utf-8")
    changed = text.replace("| `closed` | `in_review` |", "| `closed` | (end) |")
    assert changed != text
    assert blocks.filled(changed) == text


def test_codes_are_read_in_every_form(tmp_path: Path) -> None:
    (tmp_path / "errors.py").write_text(
        "class NotifierError(Exception):\n    code = 'internal'\n    http_status = 500\n"
        "class Invalid(NotifierError):\n    '''Not understood.'''\n    code, http_status = 'invalid', 422\n"
        "class Odd(Invalid):\n    '''Odd.'''\n    code = 'odd'\n"
    )
    (tmp_path / "domain").mkdir()
    (tmp_path / "domain/names.py").write_text(
        "def f(raw, x):\n    raise refused('too_odd', raw, f'has {x} in it')\n"
        "def g(x):\n    code = 'one' if x else 'two'\n    raise Invalid('said', code=code)\n"
        "def a_code_of(x):\n    return 'three'\n"
        "def h(x):\n    raise Odd('said', code=a_code_of(x))\n"
    )
    (tmp_path / "web.py").write_text("names = {405: 'method_not_allowed', 200: 'fine'}\n")
    assert [(c.code, c.http, c.intake, c.said) for c in codes.collect(tmp_path)] == [
        ("internal", 500, False, ""),
        ("invalid", 422, False, "Not understood."),
        ("method_not_allowed", 405, False, ""),
        ("odd", 422, False, "Odd."),
        ("one", 422, True, "said"),
        ("three", 422, True, "said"),
        ("too_odd", 422, True, "NAME has … in it"),
        ("two", 422, True, "said"),
    ]


def test_the_contract_s_refusal_codes_are_told() -> None:
    told = {code.code for code in codes.collect() if code.intake}
    assert told >= {
        "ip_not_domain",
        "public_suffix",
        "invalid_name",
        "no_host",
        "protected",
        "csam_refused",
        "too_large",
        "unknown_program",
    }


# --- links and commands -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", WITH_LINKS, ids=name_of)
def test_links_lead_somewhere(path: Path) -> None:
    links = re.findall(r"\]\(([^)\s]+)\)", path.read_text(encoding="utf-8"))
    for link in links:
        if link.startswith("https://"):
            continue
        file, _, anchor = link.partition("#")
        target = path.parent / file
        assert target.exists(), link
        assert not anchor or anchor in anchors(target.read_text(encoding="utf-8")), link


def anchors(text: str) -> set[str]:
    headings = re.findall(r"(?m)^#+ (.+)$", text)
    return {re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", WITH_COMMANDS, ids=name_of)
def test_paths_that_are_named_exist(path: Path) -> None:
    tops = "notifier|registries|templates|migrations|config|tests|docs"
    named = set(re.findall(rf"(?m)(?<![\w./<-])((?:{tops})/[\w./-]*)", code_in(path.read_text(encoding="utf-8"))))
    known = {place for place, _ in EXAMPLES} | {"templates/notices/counterfeit/why.txt"}
    missing = {each for each in named if not (ROOT / each).exists()}
    assert {each for each in missing if not re.search(r"NNNN|<", each)} <= known


@pytest.mark.parametrize("path", WITH_COMMANDS, ids=name_of)
def test_make_targets_exist(path: Path) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"(?m)^([a-z]+):", makefile))
    named = set(re.findall(r"\bmake ([a-z]+)\b", code_in(path.read_text(encoding="utf-8"))))
    assert named <= targets


@pytest.mark.parametrize("path", WITH_COMMANDS, ids=name_of)
def test_commands_and_their_options_exist(path: Path) -> None:
    commands = blocks.commands()
    for line in code_in(path.read_text(encoding="utf-8")).splitlines():
        for words, rest in commands_in(line):
            assert words in commands, line
            known = {option for param in commands[words].params for option in param.opts} | {"--help"}
            assert set(re.findall(r"(?<!\S)(--[a-z-]+)", rest)) <= known, line


def commands_in(line: str) -> Iterator[tuple[str, str]]:
    """Each command of `notifier` in a line of code, as its words and what follows; also behind `make demo ARGS=`."""
    line = re.sub(r'make demo ARGS="([^"]*)"', r"notifier demo \1", line)
    groups = {words.split()[0] for words in blocks.commands() if " " in words}
    for found in re.finditer(r"(?<![\w./\"-])notifier ((?:[a-z][a-z-]*)(?: [a-z][a-z-]*)?)([^)#|;]*)", line):
        words = found[1].split()
        kept = words if words[0] in groups else words[:1]
        yield " ".join(kept), " ".join([*words[len(kept) :], *found[2].split()])


def test_commands_are_found_in_code() -> None:
    assert list(commands_in('TOKEN=$(notifier token add "Sam" --role submitter)  # a token')) == [
        ("token add", '"Sam" --role submitter')
    ]
    assert list(commands_in('make demo ARGS="--keep"')) == [("demo", "--keep")]


def test_readme_calls_exist() -> None:
    calls = re.findall(r"/api/v1(/[\w./-]*)", (ROOT / "README.md").read_text(encoding="utf-8"))
    patterns = [re.sub(r"\{\w+\}", r"[^/]+", route.path) for route in blocks.routes()]
    assert calls
    for call in calls:
        assert any(re.fullmatch(pattern, call) for pattern in patterns), call


# --- the examples of adding.md ------------------------------------------------------------------------------------

TLDS = "config/registries/tlds.csv, one more line"


@pytest.fixture
def configured(tmp_path: Path) -> Path:
    """A copy of the configuration with every example in it."""
    shutil.copytree(ROOT / "config", tmp_path / "config", ignore=shutil.ignore_patterns("__pycache__"))
    for place, text in EXAMPLES:
        if place == TLDS:
            with (tmp_path / "config/registries/tlds.csv").open("a", encoding="utf-8") as table:
                table.write(text)
        elif place.startswith("config/"):
            assert not (tmp_path / place).exists()
            (tmp_path / place).write_text(text, encoding="utf-8")
    return tmp_path / "config"


def test_example_files_are_a_configuration(configured: Path) -> None:
    assert catalog.check(configured, adapters=ADAPTERS) == []
    loaded = catalog.load_catalog(configured, adapters=ADAPTERS)
    agreement = loaded.agreement_for("counterfeit", "example-registry", "example")
    assert agreement is not None
    assert agreement.recipient_address == "trusted-notifier@registry.example"
    assert dict(agreement.measures) == {Measure.LOCK: "registry lock", Measure.HOLD: "suspension"}
    assert loaded.rdap_base("example") == "https://rdap.registry.example/"
    registry = loaded.registry_for("example")
    assert registry is not None
    assert registry.verbs[Measure.HOLD] == "suspension"
    assert [rule.id for rule in loaded.programs["counterfeit"].rules] == ["target-safe", "good-faith", "laws", "fresh"]


def test_example_words_fit_into_a_notice() -> None:
    program = tomllib.loads(dict(EXAMPLES)["config/programs/counterfeit.toml"])
    words = tomllib.loads(dict(EXAMPLES)["config/registries/example-registry.toml"])["words"]
    for measure, word in words.items():
        plain = facts()
        asked = replace(
            plain, category=program["category"], ask=replace(plain.ask, measure=Measure(measure), word=word)
        )
        assert word in Renderer(folder("templates")).notice(asked).text


@pytest.mark.parametrize("adapter", examples.ADDRESSES)
def test_example_addresses_are_understood(adapter: str) -> None:
    address = tomllib.loads(examples.ADDRESSES[adapter])
    ADAPTERS[adapter](AgreementChannel("opioids.sandbox", adapter, address, "Sandbox Registry"), channels.deps())


# --- the example adapter ------------------------------------------------------------------------------------------


@pytest.fixture
async def api() -> AsyncIterator[tuple[str, list[tuple[str, str]], dict[str, int]]]:
    """A recipient's API on this machine: its address, what it got (token, key), and the code it answers with."""
    got: list[tuple[str, str]] = []
    answers = {"code": 202}

    async def take(request: web.Request) -> web.Response:
        await request.json()
        got.append((request.headers["Authorization"], request.headers["Idempotency-Key"]))
        return web.Response(status=answers["code"])

    app = web.Application()
    app.router.add_post("/notices", take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}/notices", got, answers
    await runner.cleanup()


def example_adapter(url: str, token: str | None = "t0ken") -> RegistryAdapter:
    channel = AgreementChannel("opioids.sandbox", "json-api", {"url": url, "secret": "api"}, "Sandbox Registry")
    built: RegistryAdapter = examples.adapter().build(channel, channels.deps(secret={"api": token}.get))
    return built


def notice_to(url: str) -> RenderedNotice:
    plain = facts()
    return Renderer(folder("templates")).notice(replace(plain, recipient=replace(plain.recipient, address=url)))


def test_the_page_on_adapters_is_read_at_one_sitting() -> None:
    page = (ROOT / "docs/adding.md").read_text(encoding="utf-8").split("\n## An adapter\n")[1]
    assert len(page.splitlines()) <= 75


async def test_example_adapter_delivers(api: tuple[str, list[tuple[str, str]], dict[str, int]]) -> None:
    url, got, _ = api
    adapter = example_adapter(url)
    assert await adapter.check() == []
    receipt = await adapter.send(notice_to(url), "key-1")
    assert (receipt.accepted, receipt.key, got) == (True, "key-1", [("Bearer t0ken", "key-1")])


@pytest.mark.parametrize(
    ("code", "failure"),
    [(503, Deferred), (429, Deferred), (500, Uncertain), (404, RefusedForGood), (302, RefusedForGood)],
)
async def test_example_adapter_tells_failures_apart(
    api: tuple[str, list[tuple[str, str]], dict[str, int]], code: int, failure: type[Exception]
) -> None:
    url, _, answers = api
    answers["code"] = code
    with pytest.raises(failure):
        await example_adapter(url).send(notice_to(url), "key-1")


async def test_example_adapter_refuses_another_address(
    api: tuple[str, list[tuple[str, str]], dict[str, int]],
) -> None:
    url, got, _ = api
    with pytest.raises(RefusedForGood):
        await example_adapter(url).send(notice_to("http://127.0.0.1:9/other"), "key-1")
    assert got == []


async def test_example_adapter_says_what_is_missing() -> None:
    nobody = "http://127.0.0.1:9/notices"
    with pytest.raises(Deferred, match="token"):
        await example_adapter(nobody, token=None).send(notice_to(nobody), "key-1")
    assert len(await example_adapter(nobody).check()) == 1
    with pytest.raises(Deferred):
        await example_adapter(nobody).send(notice_to(nobody), "key-1")
