"""What the documents promise exists: proofs, decisions, pictures, links; and nothing says what only its author knew."""

from __future__ import annotations

import re
import runpy
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo

import agent.model.errors
from agent.cluster.kinds import KINDS
from agent.planning.stages import WAITS
from agent.settings.tree import Settings
from agent.wire.refusals import Reason
from tests.architecture.tree import ROOT, files, modules, project, read

DOCUMENTS = tuple(path for path in files() if path.suffix == ".md")
PICTURES = tuple(path for path in files() if path.suffix == ".svg")
DECISIONS = tuple(path for path in DOCUMENTS if re.match(r"\d{4}-", path.name) and path.parent.name == "adr")
LINK = re.compile(r"!?\[[^\]]*\]\((?P<target>[^)\s#]*)(?:#(?P<heading>[^)\s]+))?\)")
# Spelt in pieces, so that this file does not find itself.
FORBIDDEN = (
    "/" + "work/",
    "/opt/" + "wheels",
    "TO" + "DO",
    "FIX" + "ME",
    "issue" + " #",
    "py" + "pi.org",
    "python" + "hosted.org",
    "proxy." + "golang.org",
    "goproxy" + ".io",
    "registry.npm" + "js",
)


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def feature_rows() -> list[tuple[str, list[str]]]:
    """The README's feature table: what is promised, and the files that prove it."""
    section = re.search(r"^## What works.*?(?=^## )", read("README.md"), re.MULTILINE | re.DOTALL)
    assert section, "README.md has no section 'What works'"
    rows = [line.strip("| \n").split("|") for line in section.group().splitlines() if line.startswith("|")]
    return [(cells[0].strip(), re.findall(r"\]\(([^)]+)\)", cells[-1])) for cells in rows[2:]]


def anchors(text: str) -> set[str]:
    """The anchors that a Markdown page offers: its headings in lower case, with hyphens for spaces."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_feature_has_a_proof_that_exists() -> None:
    rows = feature_rows()
    assert len(rows) >= 10
    for promise, proofs in rows:
        assert proofs, f"{promise!r} has no proof"
        for proof in proofs:
            assert proof.startswith(("tests/", "bench/")), f"{promise!r}: {proof} is not a test"
            assert (ROOT / proof).exists(), f"{promise!r}: {proof} does not exist"


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_links_between_documents_lead_somewhere(document: Path) -> None:
    text = re.sub(r"```.*?```", "", document.read_text(encoding="utf-8"), flags=re.DOTALL)
    for link in LINK.finditer(text):
        target, heading = link["target"], link["heading"]
        if re.match(r"\w+:", target):
            continue
        place = (document.parent / target) if target else document
        assert place.exists(), f"{name_of(document)} links to {target}, which does not exist"
        if heading and place.suffix == ".md":
            assert heading in anchors(place.read_text(encoding="utf-8")), f"{name_of(document)}: no heading {link[0]}"


@pytest.mark.parametrize("decision", DECISIONS, ids=name_of)
def test_a_decision_has_its_parts_and_its_place_in_the_index(decision: Path) -> None:
    text = decision.read_text(encoding="utf-8")
    parts = ["Context", "Decision", "Consequences", "Alternatives"]
    assert re.findall(r"^## (\w+)", text, re.MULTILINE) == parts
    title = text.splitlines()[0].removeprefix("# ")
    index = (decision.parent / "README.md").read_text(encoding="utf-8")
    number = decision.name[:4]
    assert f"[{title.split('. ', 1)[1]}]({decision.name})" in index
    assert title.startswith(f"{int(number)}. ")


def test_decisions_are_numbered_without_a_gap() -> None:
    numbers = [int(path.name[:4]) for path in DECISIONS]
    assert numbers == list(range(1, len(numbers) + 1))


@pytest.mark.parametrize("picture", PICTURES, ids=name_of)
def test_a_picture_is_well_formed_and_says_what_it_shows(picture: Path) -> None:
    root = ET.parse(picture).getroot()
    assert root.get("viewBox"), "without a viewBox it does not scale"
    namespace = "{http://www.w3.org/2000/svg}"
    assert root.findtext(f"{namespace}title")
    assert root.findtext(f"{namespace}desc")


def test_nothing_refers_to_what_a_reader_cannot_see() -> None:
    texts = {name_of(path): path.read_text(encoding="utf-8") for path in files()}
    found = {name: [word for word in FORBIDDEN if word in text] for name, text in texts.items()}
    assert not {name: words for name, words in found.items() if words}


def test_the_changelog_has_the_version_that_is_built() -> None:
    version = project()["project"]["version"]
    assert re.search(rf"^## \[{re.escape(version)}\]", read("CHANGELOG.md"), re.MULTILINE)


def documented_settings() -> dict[str, str]:
    """Each setting of the operations page and its default as the page gives it."""
    section = read("docs/operations.md").split("## Settings", 1)[1].split("\n## ", 1)[0]
    return dict(re.findall(r"^\| `([\w.]+)` \| `?([^|`]+?)`? \|", section, re.MULTILINE))


def knobs(model: type[BaseModel] = Settings, prefix: str = "") -> Iterator[tuple[str, FieldInfo]]:
    """Every setting of the tree by its path."""
    for field in model.model_fields.values():
        path = f"{prefix}{field.alias}"
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from knobs(field.annotation, f"{path}.")
        else:
            yield path, field


def default_in_words(field: FieldInfo) -> str:
    if field.is_required():
        return "*required*"
    return "none" if field.default in (None, {}, ()) else str(field.default)


def test_operations_tell_every_setting_with_its_default() -> None:
    assert documented_settings() == {path: default_in_words(field) for path, field in knobs()}


def test_the_example_settings_have_every_knob() -> None:
    tree = yaml.safe_load(read("config/agent.yaml"))
    for path, _ in knobs():
        node = tree
        for part in path.split("."):
            assert part in node, f"config/agent.yaml lacks {path}"
            node = node[part]


def test_operations_explain_every_reason_that_the_agent_can_give() -> None:
    errors = {kind.__name__ for kind in vars(agent.model.errors).values() if isinstance(kind, type)}
    named = errors - {"AgentError", "Terminal", "Refused", "OwnedField", "StrEnum"}
    guards = read("agent/planning/guard.py") + read("agent/planning/pool.py")
    guarded = set(re.findall(r'reason="(\w+)"', guards))
    rooms = [module.text for module in modules("agent") if module.name.startswith(("agent/loops/", "agent/planning/"))]
    claimed = {claim for text in rooms for claim in re.findall(r'(?:Condition|_claim|claim)\(\s*"(\w+)"', text)}
    explained = set(re.findall(r"`(\w+)`", read("docs/operations.md")))
    assert len(claimed) >= 10
    assert {*named, *guarded, *claimed, *Reason, *WAITS.values()} <= explained


def test_the_threat_model_lists_the_rights_that_the_code_needs() -> None:
    table = read("docs/threat-model.md").split("## Rights of the agent in the cluster", 1)[1]
    told = dict(re.findall(r"^\| ([A-Z]\w+) \| (yes)? *\|", table, re.MULTILINE))
    assert {kind: watched == "yes" for kind, watched in told.items()} == {
        kind.kind: kind.watched for kind in KINDS.values()
    }


def attacks() -> list[tuple[str, str]]:
    """The rows of the threat model that name an attack, and their last cells."""
    tables = re.findall(r"^\| [^\n]+ \| proof \|\n\|[-|]+\|\n((?:\|.*\n)+)", read("docs/threat-model.md"), re.MULTILINE)
    rows = [line.strip("| ").split(" | ") for table in tables for line in table.splitlines()]
    return [(cells[0], cells[-1]) for cells in rows]


def test_every_attack_of_the_threat_model_has_a_test_or_is_said_to_have_no_answer() -> None:
    assert len(attacks()) >= 40
    for attack, proof in attacks():
        tests = re.findall(r"\]\(\.\./(tests/[^)]+)\)", proof)
        assert tests or proof == "*not answered*", f"{attack!r} has neither a test nor the words *not answered*"
        assert all((ROOT / test).is_file() for test in tests), f"{attack!r}: one of {tests} does not exist"


def test_no_table_of_attacks_is_without_proofs() -> None:
    headers = re.findall(r"^\| (?:attack|whoever) .*$", read("docs/threat-model.md"), re.MULTILINE)
    assert len(headers) >= 6
    assert all(header.endswith("| proof |") for header in headers)


def test_every_metric_that_operations_name_exists() -> None:
    told = {name.removesuffix("_total") for name in re.findall(r"`(perigee_\w+)`", read("docs/operations.md"))}
    made = {name for module in modules("agent") for name in re.findall(r'"(perigee_[a-z_]+)"', module.text)}
    assert told
    assert told <= made


def test_the_page_of_commands_is_the_command_lines_own() -> None:
    page = runpy.run_path(str(ROOT / "docs" / "generate.py"))["page"]
    assert read("docs/commands.md") == page(), "docs/commands.md is behind the commands: run make docs"
