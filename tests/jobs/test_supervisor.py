"""Are programs kept alive, started and stopped in order, and never left behind?"""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sxg.embedded import free_port
from sxg.supervisor import Program, Supervisor, SupervisorError, http_ready

ROOT = Path(__file__).parents[2]
SLEEP = ["sleep", "300"]


def wait_until(condition: Callable[[], bool], timeout_s: float = 10) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def alive(pid: int | None) -> bool:
    """Whether the process runs; a zombie that nobody has buried yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def writes(file: Path, word: str) -> Program:
    """A program that appends its name when it starts and when it is asked to stop."""
    code = f"""
import signal, sys, time
story = open({str(file)!r}, "ab", buffering=0)
signal.signal(signal.SIGTERM, lambda *_: (story.write(b"-{word} "), sys.exit()))
story.write(b"+{word} ")
time.sleep(300)
"""
    return Program(word, python(code), ready=lambda: file.exists() and f"+{word} " in file.read_text())


def test_a_killed_program_is_started_again_and_the_others_are_left_alone(tmp_path: Path) -> None:
    with Supervisor([Program("one", SLEEP), Program("two", SLEEP)], tmp_path) as supervisor:
        first, other = supervisor.pid("one"), supervisor.pid("two")
        supervisor.kill("one")
        wait_until(lambda: supervisor.starts("one") == 2)
        assert supervisor.pid("one") != first
        assert alive(supervisor.pid("one"))
        assert not alive(first)
        assert supervisor.pid("two") == other


def test_a_start_is_counted_when_its_process_is_there(tmp_path: Path) -> None:
    with Supervisor([Program("one", SLEEP)], tmp_path) as supervisor:
        for starts in range(2, 7):
            supervisor.pause("one")
            resuming = threading.Thread(target=supervisor.resume, args=("one",))
            resuming.start()
            while supervisor.starts("one") < starts:
                pass
            assert supervisor.pid("one") is not None
            resuming.join()


def test_a_program_that_cannot_live_is_started_ever_less_often(tmp_path: Path) -> None:
    log = tmp_path / "broken.log"
    program = Program("broken", python("import time; print(time.monotonic(), flush=True)"))
    with Supervisor([program], tmp_path):
        wait_until(lambda: log.exists() and log.read_text().count("\n") >= 4)
    third, fourth = (float(line) for line in log.read_text().split()[2:4])
    assert fourth - third > 0.6  # 0.2 s after the first death, 0.4 s, 0.8 s, less what a slow start before hides


def test_programs_start_in_order_and_stop_in_the_opposite_order(tmp_path: Path) -> None:
    story = tmp_path / "story"
    with Supervisor([writes(story, name) for name in ("db", "web", "worker")], tmp_path / "log"):
        assert story.read_text() == "+db +web +worker "
    assert story.read_text() == "+db +web +worker -worker -web -db "


def test_a_program_that_ignores_sigterm_is_killed_after_the_grace(tmp_path: Path) -> None:
    deaf = "import signal, time; signal.signal(15, signal.SIG_IGN); print('deaf', flush=True); time.sleep(300)"
    log = tmp_path / "deaf.log"
    program = Program("deaf", python(deaf), ready=lambda: "deaf" in log.read_text())
    with Supervisor([program], tmp_path, stop_grace_s=0.3) as supervisor:
        pid = supervisor.pid("deaf")
    assert not alive(pid)


def test_a_paused_program_stays_down_until_it_is_resumed(tmp_path: Path) -> None:
    with Supervisor([Program("one", SLEEP)], tmp_path) as supervisor:
        first = supervisor.pid("one")
        supervisor.pause("one")
        assert not alive(first)
        time.sleep(0.5)
        assert supervisor.pid("one") is None
        supervisor.resume("one")
        assert alive(supervisor.pid("one"))


def test_programs_paused_together_stop_at_once(tmp_path: Path) -> None:
    file = tmp_path / "story"
    slow = "import signal, time; signal.signal(signal.SIGTERM, lambda *_: (time.sleep(0.8), exit())); "
    code = f"{slow}open({str(file)!r}, 'a').write('x'); time.sleep(300)"
    programs = [Program(f"slow-{number}", python(code)) for number in range(4)]
    with Supervisor([*programs, Program("other", SLEEP)], tmp_path) as supervisor:
        wait_until(lambda: file.exists() and file.read_text() == "xxxx")
        started = time.monotonic()
        supervisor.pause(*(program.name for program in programs))
        assert 0.8 <= time.monotonic() - started < 2 * 0.8
        assert [supervisor.pid(program.name) for program in programs] == [None] * 4
        assert alive(supervisor.pid("other"))


def test_the_next_life_waits_for_no_worker_of_the_last_one(tmp_path: Path) -> None:
    master = "import subprocess, time; print(subprocess.Popen(['sleep', '300']).pid, flush=True); time.sleep(300)"
    log = tmp_path / "master.log"
    with Supervisor([Program("master", python(master), ready=lambda: bool(log.read_text()))], tmp_path) as supervisor:
        worker = int(log.read_text())
        supervisor.kill("master")
        wait_until(lambda: not alive(worker))


def test_readiness_is_a_200_over_http(tmp_path: Path) -> None:
    (tmp_path / "health").write_text("ok")
    port = free_port()
    server = [sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1", "--directory", str(tmp_path)]
    assert not http_ready(port)()
    with Supervisor([Program("web", server, ready=http_ready(port))], tmp_path):
        assert http_ready(port)()
        assert not http_ready(port, "/nothing-here")()


def test_a_program_that_never_becomes_ready_stops_the_start_and_shows_its_log(tmp_path: Path) -> None:
    never = Program("never", python("print('no such table'); raise SystemExit(1)"), ready=bool, ready_timeout_s=0.5)
    supervisor = Supervisor([Program("first", SLEEP), never], tmp_path)
    with pytest.raises(SupervisorError, match=r"never was not ready after 0\.5 s:\n(.|\n)*no such table"):
        supervisor.start()
    assert supervisor.pid("first") is None


def test_a_program_gets_its_environment_on_top_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OURS", "1")
    code = "import os, time; print(os.environ['OURS'], os.environ['ITS'], flush=True); time.sleep(300)"
    log = tmp_path / "one.log"
    with Supervisor([Program("one", python(code), env={"ITS": "2"}, ready=lambda: bool(log.read_text()))], tmp_path):
        assert log.read_text() == "1 2\n"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of its parent's death")
def test_no_program_outlives_a_killed_supervisor(tmp_path: Path) -> None:
    code = f"""
import time
from pathlib import Path
from sxg.embedded import EmbeddedRedis
from sxg.supervisor import Program, Supervisor
redis = EmbeddedRedis(Path({str(tmp_path)!r}) / "redis")
redis.start()
supervisor = Supervisor([Program("one", ["sleep", "300"])], Path({str(tmp_path)!r}))
supervisor.start()
print(supervisor.pid("one"), redis._process.pid, flush=True)
time.sleep(300)
"""
    parent = subprocess.Popen(python(code), cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    with parent.stdout:
        children = [int(pid) for pid in parent.stdout.readline().split()]
    assert len(children) == 2
    assert all(alive(pid) for pid in children)
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    wait_until(lambda: not any(alive(pid) for pid in children))
