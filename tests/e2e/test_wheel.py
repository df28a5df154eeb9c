"""Does the wheel hold all it needs? Installed in an environment of its own, far from the source, it tells the demo."""

import json
import os
import shutil
import subprocess
import sys
import tomllib
import venv
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import pytest

from sxg.cli import main

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


def test_it_tells_the_day_of_the_demo(installed: Path, tmp_path: Path) -> None:
    told = run([installed / "sxg", "demo", "--once"], tmp_path)
    for company, records in (("ACME IT", "16 products"), ("Globex", "9 products")):
        assert f"{company}: both sides are equal" in told, told[-3000:]
        assert records in told
