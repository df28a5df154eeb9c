"""Does the wheel hold all it needs? Installed in an environment of its own, far from the source, it tells the demo: the
whole day, with all sides equal at its end, and nothing left behind.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tomllib
import venv
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import click
import pytest

from sxg.cli import main
from tests.e2e.demo_story import (
    INVENTORIES,
    PEOPLE,
    STORY,
    TOLD,
    Demo,
    compare,
    entered,
    marked_processes,
    settings,
    stop,
    table_rows,
    told,
)

ROOT = Path(__file__).parents[2]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
PACKAGES: list[str] = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
BESIDES = ["pyproject.toml", "README.md", "LICENSE", ".gitignore"]
"""What a build reads besides the packages; `.gitignore` because hatchling leaves out what it names."""

IMPORT_ALL = """
import importlib, json, pkgutil, sys
found = {}
for package in sys.argv[1:]:
    found[package] = importlib.import_module(package).__file__
    for module in pkgutil.walk_packages(importlib.import_module(package).__path__, package + "."):
        if not module.name.endswith("__main__") and ".migrations." not in module.name:
            found[module.name] = importlib.import_module(module.name).__file__
print(json.dumps({"path": sys.path, "modules": found}))
"""


def run(command: Sequence[str | Path], cwd: Path, timeout_s: float = 300) -> str:
    """Standard output; the settings of whoever runs the tests are not handed on."""
    told = {name: value for name, value in os.environ.items() if not name.startswith(("SXG_", "PYTHON", "VIRTUAL_"))}
    done = subprocess.run(
        command, cwd=cwd, env=told, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
        timeout=timeout_s,
    )  # fmt: skip
    assert done.returncode == 0, f"{command}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    return done.stdout


def pip(*arguments: str | Path, cwd: Path) -> None:
    run([sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments], cwd)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what is built, so that building leaves nothing in the tree."""
    copy = tmp_path_factory.mktemp("source")
    for name in PACKAGES:
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in BESIDES:
        shutil.copy(ROOT / name, copy / name)
    return copy


@pytest.fixture(scope="module")
def wheel(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("wheel")
    pip("wheel", "--no-deps", "--wheel-dir", directory, source, cwd=directory)
    (made,) = directory.glob("*.whl")
    return made


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `bin` of an environment with the wheel, and with the pinned versions of what it needs."""
    directory = tmp_path_factory.mktemp("installed")
    venv.create(directory)
    bin_ = directory / "bin"
    pip("--python", bin_ / "python", "install", "--no-compile", "-c", ROOT / "constraints.txt", wheel, cwd=directory)
    return bin_


def test_every_file_of_the_packages_is_inside(source: Path, wheel: Path) -> None:
    there = {str(path.relative_to(source)) for name in PACKAGES for path in (source / name).rglob("*")}
    files = {name for name in there if (source / name).is_file()}
    assert {Path(name).suffix for name in files} >= {".py", ".json", ".yaml"}
    assert files - set(zipfile.ZipFile(wheel).namelist()) == set()


def test_every_module_is_found_without_the_source(installed: Path, tmp_path: Path) -> None:
    found = json.loads(run([installed / "python", "-c", IMPORT_ALL, *PACKAGES], tmp_path))
    assert len(found["modules"]) > 100
    outside = {name: file for name, file in found["modules"].items() if not file.startswith(str(installed.parent))}
    assert outside == {}
    assert [entry for entry in found["path"] if (tmp_path / entry).resolve().is_relative_to(ROOT)] == []


def test_the_command_tells_its_version_and_helps_with_each_command(installed: Path, tmp_path: Path) -> None:
    assert run([installed / "sxg", "--version"], tmp_path) == f"sxg, version {PROJECT['project']['version']}\n"
    listed = run([installed / "sxg", "--help"], tmp_path)
    for name in main.list_commands(click.Context(main)):
        assert f"\n  {name} " in listed
        assert f"Usage: sxg {name} " in run([installed / "sxg", name, "--help"], tmp_path)


@pytest.fixture(scope="module")
def start(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Demo]]:
    demos: list[Demo] = []

    def start_demo(*arguments: str) -> Demo:
        demos.append(Demo(installed / "sxg", tmp_path_factory.mktemp("elsewhere"), *arguments))
        return demos[-1]

    yield start_demo
    for demo in demos:
        if demo.process.poll() is None:
            demo.process.kill()
            demo.process.wait()
        if demo.process.stdout:
            demo.process.stdout.close()


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo")


@pytest.fixture(scope="module")
def one_pass(start: Callable[..., Demo], data: Path) -> Demo:
    demo = start("--once", "--data-dir", str(data))
    assert demo.wait(180) == 0, demo.output
    return demo


def test_one_pass_tells_the_day_and_leaves_nothing_behind(one_pass: Demo) -> None:
    output = one_pass.output
    missing = [step for step in STORY if step not in output]
    assert not missing, output
    place = 0
    for step in STORY:
        place = output.index(step, place)
    assert told(output) == TOLD, output
    assert table_rows(output, 4) == INVENTORIES, output
    assert marked_processes(one_pass.mark) == []


def test_it_goes_on_from_its_data_and_stays_up_until_told_to_stop(
    start: Callable[..., Demo], one_pass: Demo, data: Path
) -> None:
    demo = start("--data-dir", str(data))
    demo.until(demo.is_up, 180)
    assert len(marked_processes(demo.mark)) >= 14
    common, acme, globex = settings(demo.output)
    for of_consumer, tasks, products, items in ((acme, 7, 16, 16), (globex, 3, 9, 16)):
        compared = compare(common | of_consumer)
        counted = f"{tasks * 2} provider tasks, {products * 2} products, {items} catalog items"
        assert (compared.returncode, compared.stderr) == (0, "")
        assert compared.stdout.startswith(f"both sides are equal: {counted}")
    assert entered(demo.output) == dict.fromkeys(PEOPLE, 200)  # with the password of the first pass, and its users
    stop(demo, signal.SIGINT)


def test_it_is_stopped_in_the_middle_of_the_day(start: Callable[..., Demo], tmp_path: Path) -> None:
    demo = start("--data-dir", str(tmp_path))
    demo.until(lambda: "registers the consumer Globex" in demo.output, 180)
    stop(demo, signal.SIGTERM)
