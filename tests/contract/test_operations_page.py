"""docs/operations.md against the code: settings, roles, metrics and commands are all there are, and all exist."""

import re
from pathlib import Path

import click
import pytest

from provider.domain.roles import Role
from sxg.cli import main

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "operations.md").read_text()
READERS = ("bridge/config.py", "provider/config.py", "consumer_sim/config.py", "sxg/settings.py")
OF_COMMANDS = {
    "SXG_URL",
    "SXG_TOKEN",
    "SXG_PROVIDER_URL",
    "SXG_PROVIDER_TOKEN",
    "SXG_CONSUMER_URL",
    "SXG_CONSUMER_TOKEN",
    "SXG_PASSWORD",
}


def test_every_setting_is_explained_and_none_is_invented() -> None:
    read = {name for reader in READERS for name in re.findall(r'"(SXG_[A-Z_]+)"', (ROOT / reader).read_text())}
    assert set(re.findall(r"SXG_[A-Z]+(?:_[A-Z]+)*", PAGE)) == read | OF_COMMANDS


def test_every_role_is_explained_and_none_is_invented() -> None:
    table = PAGE.partition("| role | may |")[2].partition("\n\n")[0]
    told = {name for row in table.splitlines()[2:] for name in re.findall(r"`(\w+)`", row.split("|")[1])}
    assert told == set(Role)


def test_every_metric_exists() -> None:
    source = (ROOT / "bridge" / "flow_metrics.py").read_text() + (ROOT / "bridge" / "jobs.py").read_text()
    told = {name.removesuffix("_total") for name in re.findall(r"`(sxg_[a-z_]+)", PAGE)}
    assert told
    assert all(f'"{name}"' in source for name in told)


COMMANDS = sorted(
    set(re.findall(r"(?:^|`|& |exec provider-web )sxg ([a-z][a-z-]*(?: [a-z][a-z-]*)*)", PAGE, re.MULTILINE))
)


@pytest.mark.parametrize("words", COMMANDS)
def test_every_command_exists(words: str) -> None:
    command: click.Command | None = main
    for word in words.split():
        if not isinstance(command, click.Group):
            break
        command = command.get_command(click.Context(command), word)
        assert command is not None, word


@pytest.mark.parametrize("anchor", re.findall(r"\]\(#([a-z-]+)\)", PAGE))
def test_every_link_within_the_page_leads_somewhere(anchor: str) -> None:
    headings = re.findall(r"^#+ (.*)$", PAGE, re.MULTILINE)
    assert anchor in {re.sub(r"[^a-z ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("file", re.findall(r"`(tests/[\w/.]+)`", PAGE) + re.findall(r"\]\(([\w./]+\.md)\)", PAGE))
def test_every_file_it_names_is_there(file: str) -> None:
    assert (ROOT / file).exists() or (ROOT / "docs" / file).exists()
