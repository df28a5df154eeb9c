"""Are programs that share memory kept alive like any other, and does nothing but code cross their fork?"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sxg.forkserver import IS_SUPPORTED
from sxg.supervisor import Program, Supervisor
from tests.jobs.test_supervisor import ROOT, alive, python, wait_until

pytestmark = pytest.mark.skipif(not IS_SUPPORTED, reason="only Linux can fork safely and tell who has ended")

TELL = """
import os, sys, threading, time
print(sys.argv[1:], os.environ["ITS"], os.getsid(0) == os.getpid(), open("/proc/self/comm").read().strip(), flush=True)
print(sorted(os.readlink(f"/proc/self/fd/{fd}").partition(":")[0] for fd in (0, 1, 2)), flush=True)
time.sleep(300)
"""


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A place with a module `tell`, from which the fork server can import it."""
    (tmp_path / "tell.py").write_text(TELL)
    monkeypatch.setenv("PYTHONPATH", f"{ROOT}{os.pathsep}{tmp_path}")
    yield tmp_path


def forked(name: str, log_dir: Path, *arguments: str) -> Program:
    log = log_dir / f"{name}.log"
    argv = [sys.executable, "-m", "tell", *arguments]
    return Program(name, argv, {"ITS": "own"}, lambda: log.exists() and log.read_text().count("\n") >= 2, forked=True)


def pss_kb(pid: int | None) -> int:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))


def test_a_forked_program_is_what_a_started_one_would_be(directory: Path) -> None:
    with Supervisor([forked("provider-worker-2", directory, "a", "b")], directory):
        told, open_files = (directory / "provider-worker-2.log").read_text().splitlines()[:2]
    assert told == "['a', 'b'] own True provider-worker"
    assert open_files == str(["/dev/null", *[str(directory / "provider-worker-2.log")] * 2])


def test_a_killed_one_is_started_again_and_the_others_are_left_alone(directory: Path) -> None:
    with Supervisor([forked("one", directory), forked("two", directory)], directory) as supervisor:
        first, other, server = supervisor.pid("one"), supervisor.pid("two"), supervisor.fork_server_pid
        supervisor.kill("one")
        wait_until(lambda: supervisor.starts("one") == 2 and supervisor.pid("one") is not None)
        assert not alive(first)
        assert alive(supervisor.pid("one"))
        assert (supervisor.pid("two"), supervisor.fork_server_pid) == (other, server)
        supervisor.pause("two")
        assert not alive(other)


def test_when_the_server_is_killed_its_forks_end_and_all_come_back(directory: Path) -> None:
    with Supervisor([forked("one", directory), forked("two", directory)], directory) as supervisor:
        before = {name: supervisor.pid(name) for name in ("one", "two")}
        server = supervisor.fork_server_pid
        assert server is not None
        os.kill(server, 9)
        wait_until(lambda: all(supervisor.starts(name) == 2 and supervisor.pid(name) for name in before))
        assert supervisor.fork_server_pid != server
        assert not any(alive(pid) for pid in before.values())
        assert all(alive(supervisor.pid(name)) for name in before)
    assert supervisor.fork_server_pid is None


def test_the_server_holds_no_connection_no_file_and_no_thread(directory: Path) -> None:
    with Supervisor([forked("one", directory)], directory) as supervisor:
        server = supervisor.fork_server_pid
        files = [os.readlink(entry) for entry in Path(f"/proc/{server}/fd").iterdir()]
        threads = list(Path(f"/proc/{server}/task").iterdir())
    log = str(directory / "forkserver.log")
    assert sorted(file.partition(":")[0] for file in files if file != log) == ["socket", "socket"], "its own, twice"
    assert files.count(log) == 2
    assert len(threads) == 1


def test_forks_share_what_the_server_has_loaded(directory: Path) -> None:
    with Supervisor([forked("one", directory), forked("two", directory)], directory) as supervisor:
        server_kb = pss_kb(supervisor.fork_server_pid)
        assert pss_kb(supervisor.pid("one")) < server_kb + 10_000
        total_kb = server_kb + sum(pss_kb(supervisor.pid(name)) for name in ("one", "two"))
        rss = Path(f"/proc/{supervisor.pid('one')}/statm").read_text().split()[1]
        assert total_kb < 2 * int(rss) * os.sysconf("SC_PAGE_SIZE") / 1024, "less than two of them by themselves"


def test_no_fork_outlives_a_killed_supervisor(directory: Path) -> None:
    code = f"""
import sys, time
from pathlib import Path
from sxg.supervisor import Program, Supervisor
argv = [sys.executable, "-m", "tell"]
supervisor = Supervisor([Program("one", argv, dict(ITS="own"), forked=True)], Path({str(directory)!r}))
supervisor.start()
print(supervisor.pid("one"), supervisor.fork_server_pid, flush=True)
time.sleep(300)
"""
    parent = subprocess.Popen(python(code), cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    with parent.stdout:
        children = [int(pid) for pid in parent.stdout.readline().split()]
    assert len(children) == 2
    time.sleep(0.2)
    os.kill(parent.pid, 9)
    parent.wait()
    wait_until(lambda: not any(alive(pid) for pid in children))
