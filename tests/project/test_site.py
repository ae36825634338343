"""What the site is made of, without Sphinx: pages of commands, diagrams, tables, the link check."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import click
import nbformat
import pytest

from nitro_workflow.cli import cli

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


@pytest.fixture(autouse=True)
def site_modules(monkeypatch):
    monkeypatch.syspath_prepend(str(DOCS / "site"))
    monkeypatch.syspath_prepend(str(ROOT / "tools"))


def commands(command, context):
    yield command, context
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            yield from commands(below, click.Context(below, info_name=name, parent=context))


def test_every_command_and_option_is_on_a_page():
    from nitro_site.command_pages import command_pages

    pages = command_pages()
    text = "\n".join(pages.values())
    for command, context in commands(cli, click.Context(cli, info_name="nitro-workflow")):
        if context.parent is None or command.hidden:
            continue
        assert f"```{{program}} {context.command_path}\n" in text
        for option in command.params:
            if isinstance(option, click.Option) and not option.hidden:
                page = pages[context.command_path.split()[1]]
                assert all(name in page for name in option.opts), (
                    context.command_path,
                    option.opts,
                )
    assert "--num_workers" in pages["vsock-proxy"]


def test_text_of_the_package_is_no_markup():
    from nitro_site.markdown import plain, table

    assert plain("a_b *c* [d](e) `x|y`") == r"a\_b \*c\* \[d\](e) `x\|y`"
    assert table(["a", "b"], [["1", "2"]]) == "| a | b |\n| --- | --- |\n| 1 | 2 |"


def test_every_diagram_has_its_pictures_and_no_other_is_there():
    from nitro_site.diagram_files import FOLDER, THEMES, picture

    sources = [
        source
        for path in sorted((ROOT / "notebooks").glob("*.ipynb"))
        for cell in nbformat.read(path, as_version=4).cells
        for source in re.findall(r"^```mermaid\n(.*?)^```", cell.source, re.DOTALL | re.MULTILINE)
    ]
    wanted = {picture(source, theme) for source in sources for theme in THEMES}
    assert len(wanted) == 2 * len(sources) > 0
    assert wanted == set(FOLDER.glob("*.svg")), "make diagrams"


def test_a_diagram_loads_nothing_and_runs_nothing():
    for path in (DOCS / "site" / "diagrams").glob("*.svg"):
        text = path.read_text()
        assert not re.search(r"<script|javascript:|\son\w+=", text), path.name
        assert not re.search(r"""(?:href|src)=["'](?!#)|@import|url\((?!["']?#)""", text), path.name


def test_a_diagram_can_be_read_in_a_cell_of_760_pixels():
    """Mermaid writes letters of 16 pixels; JupyterLab makes a picture as narrow as its cell."""
    for path in (DOCS / "site" / "diagrams").glob("*.svg"):
        wide = float(re.search(r'viewBox="\S+ \S+ (\S+) ', path.read_text())[1])
        assert 16 * min(760 / wide, 1) >= 9, path.name


def test_every_cause_of_a_denial_is_explained():
    written = set()
    for path in (ROOT / "nitro_workflow" / "policy" / "reasons").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Cause":
                written |= {
                    part.value for part in ast.walk(node.args[0]) if isinstance(part, ast.Constant)
                }
    page = (DOCS / "reference" / "errors.md").read_text().partition("## Why a request")[2]
    explained = set(
        re.findall(r"`(\w+)`", "".join(re.findall(r"^\| (`.*?) \|", page, re.MULTILINE)))
    )
    dynamic = {"no_", "_allow"}  # no_resource_allow and its like
    assert written - dynamic - explained == set()
    assert {"no_resource_allow", "no_identity_allow", "rebuilt_image", "other_role"} <= explained


def test_codes_are_found_with_what_they_say():
    from nitro_site.error_codes import named_codes

    found = {code.code: code for code in named_codes()}
    assert found["Busy"].error == "EnclaveError"
    assert found["Busy"].found == "another job is running"
    assert found["NotAllowed"].next.startswith("add it to the allowlist file")
    assert not [code for code in found if code.startswith("E0")]


def test_a_limit_is_a_number_and_no_name():
    from nitro_site.constants import constants_of, is_limit

    limits = {
        found.name
        for module in ("document", "verification_steps")
        for found in constants_of(f"nitro_workflow.attestation.{module}")
        if is_limit(found.value)
    }
    assert {"DOCUMENT_LIMITS", "MAX_PCRS", "PCR_LENGTHS", "CLOCK_SKEW"} <= limits
    assert limits.isdisjoint({"AUTHENTICITY", "STEPS"})


@pytest.mark.parametrize(
    ("word", "lines"),
    [
        ("MAX_CERTIFICATE_BYTES", ["MAX_", "CERTIFICATE_", "BYTES"]),
        ("kms:RecipientAttestation", ["kms:", "Recipient", "Attestation"]),
        ("a.b.docs/reference/limits.md", ["a.b.docs/", "reference/", "limits.md"]),
        ("--encryption-context-keys", ["--encryption-context-keys"]),
        ("1,048,576,000,000,000", ["1,048,576,000,000,000"]),
        ("&lt;script&gt;alert(&quot;a_long_name&quot;)", ["&lt;script&gt;alert(&quot;a_long_", "name&quot;)"]),
        ("MAX_PCRS", ["MAX_PCRS"]),
        ("ab" * 48, ["ab" * 16] * 3),
    ],
)  # fmt: skip
def test_a_long_name_breaks_at_its_joints(word, lines):
    from nitro_site.word_breaks import with_breaks

    pieces = "<wbr>".join(f'<span class="pre">{line}</span>' for line in lines)
    assert with_breaks(f'<code><span class="pre">{word}</span></code>') == f"<code>{pieces}</code>"


PAGE = "<html><body><a href='{}'>x</a><p id='there'></p>{}</body></html>"


@pytest.mark.parametrize(
    ("link", "body", "said"),
    [
        ("other.html", "", "leads nowhere"),
        ("#nowhere", "", "has no such anchor"),
        ("a.html#nowhere", "", "has no such anchor"),
        ("../../../etc/passwd", "", "leads nowhere"),
        ("javascript:alert(1)", "", "is no page"),
        ("https://elsewhere.example/", "", "in no list"),
        ("#there", "<script src='https://cdn.example/x.js'></script>", "loaded from outside"),
        ("#there", "<img src='//cdn.example/x.png'>", "loaded from outside"),
        ("#there", "<link rel=stylesheet href='https://cdn.example/x.css'>", "loaded from outside"),
    ],
)
def test_a_link_that_leads_nowhere_is_found(tmp_path, link, body, said):
    from site_links import faults

    (tmp_path / "a.html").write_text(PAGE.format(link, body))
    [found] = faults(tmp_path, frozenset())
    assert said in found


def test_what_leads_somewhere_is_no_fault(tmp_path):
    from site_links import faults

    (tmp_path / "a.html").write_text(
        PAGE.format("b.html#there", "<a href='https://known.example/'>")
    )
    (tmp_path / "b.html").write_text(PAGE.format("a.html", ""))
    assert list(faults(tmp_path, frozenset({"https://known.example/"}))) == []


def test_a_style_that_loads_from_outside_is_found(tmp_path):
    from site_links import faults

    (tmp_path / "a.css").write_text("@import 'https://fonts.example/x.css'; p { color: red }")
    assert ["loaded from outside" in found for found in faults(tmp_path, frozenset())] == [True]


def test_no_example_of_a_docstring_is_left_out():
    """`make doctest` runs them; what needs a running lab is shown as code, and promises nothing."""
    skip = "doctest: +" + "SKIP"
    files = [
        path for name in ("nitro_workflow", "enclave_image") for path in (ROOT / name).rglob("*.py")
    ]
    assert [path.name for path in files if skip in path.read_text()] == []


def run(script, **environment):
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", f'nitro-workflow() {{ "{sys.executable}" -m nitro_workflow.cli "$@"; }}\n{script}'],
        cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def blocks(page):
    return re.findall(r"^```sh\n(.*?)^```$", page.read_text(), re.DOTALL | re.MULTILINE)


def test_the_denial_of_the_how_to_is_explained():
    [script] = blocks(DOCS / "how-to" / "aws-denial.md")
    said = run(script)
    assert "OnlyThisImage" in said
    assert "the image that runs is not the one the policy names" in said


@pytest.mark.slow
@pytest.mark.sandbox
def test_the_lab_beside_yours_begins_again():
    [script] = blocks(DOCS / "how-to" / "start-over.md")
    assert run(f"trap 'nitro-workflow down >/dev/null' EXIT\n{script}").count("D9") >= 2


PAGES = [ROOT / "README.md", *sorted(DOCS.glob("*.md")), *sorted(DOCS.glob("*/*.md"))]


def command_lines(text):
    """Every call of a command of ours, in a block or in a line: what follows a pipe is left out."""
    fences = "\n".join(re.findall(r"^```(?:sh|bash|)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE))
    inline = re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))
    for line in [*fences.replace("\\\n", " ").splitlines(), *inline]:
        found = re.match(r"\s*(?:! )?(nitro-workflow|nitro-cli) ([a-z].*)", line)
        if found and "…" not in found[2]:
            above = ["nitro-cli"] if found[1] == "nitro-cli" else []
            yield [*above, *re.split(r"\s(?:[|><#&]|--\s)", found[2])[0].split()]


def unknown_words(words):
    """Return the options that the command does not have; its name, where there is none such."""
    command, context = cli, click.Context(cli, info_name="nitro-workflow")
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        below = command.get_command(context, words[0])
        if below is None:
            return words[:1]
        command, context, words = below, click.Context(below, parent=context), words[1:]
    known = {
        name
        for option in command.get_params(context)
        for name in (*option.opts, *option.secondary_opts)
    }
    if command.name == "run":  # `parent run`: the rest is another program's
        return []
    return [word for word in words if word.startswith("--") and word.partition("=")[0] not in known]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_command_of_a_page_is_one(page):
    lines = list(command_lines(page.read_text()))
    wrong = {" ".join(words): found for words in lines if (found := unknown_words(words))}
    assert wrong == {}


def test_a_command_that_is_none_is_found():
    text = "`nitro-workflow polcy check`\n```sh\nnitro-workflow walk --sise 1MiB\nnitro-cli console --no\n```\n"
    assert [unknown_words(words) for words in command_lines(text)] == [
        ["--sise"],
        ["--no"],
        ["polcy"],
    ]


def test_the_declaration_of_the_how_to_is_one(tmp_path):
    from enclave_image.applications import read_declaration

    [text] = re.findall(
        r"^```toml\n(.*?)^```",
        (DOCS / "how-to" / "own-data.md").read_text(),
        re.DOTALL | re.MULTILINE,
    )
    (tmp_path / "application.toml").write_text(text)
    (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY records.csv /\nCMD ['/app']\n")
    (tmp_path / "records.csv").write_text("a,b\n")
    assert read_declaration(tmp_path).threshold == 3


def anchors(page):
    """The anchors that a forge gives a page's headings: GitHub's rule."""
    headings = re.findall(
        r"^#+ (.+)$",
        re.sub(r"^```.*?^```", "", page.read_text(), flags=re.DOTALL | re.MULTILINE),
        re.MULTILINE,
    )
    return {
        re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings
    }


ROOT_PAGES = [
    ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")
]


@pytest.mark.parametrize("page", ROOT_PAGES, ids=lambda page: page.name)
def test_every_link_of_a_page_outside_the_site_leads_somewhere(page):
    for link in re.findall(r"\]\(([^)\s]+)\)|(?:src|srcset|href)=\"([^\"]+)\"", page.read_text()):
        path, _, anchor = "".join(link).partition("#")
        if path.startswith("https://"):
            continue
        target = page.parent / path if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link
