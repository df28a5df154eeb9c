"""The consumer in the README works as it stands there, with nothing of this project imported."""

import re
import signal
import subprocess
import sys
from pathlib import Path

from sxg.embedded import free_port
from tests.e2e.stage import ROOT, Stage


def consumer_of_the_readme() -> str:
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    return str(code)


def test_it_imports_nothing_of_this_project() -> None:
    imported = set(re.findall(r"^(?:import|from) (.+?)(?: import.*)?$", consumer_of_the_readme(), re.MULTILINE))
    names = {name.strip() for line in imported for name in line.split(",")}
    assert names == {"json", "sqlite3", "sys", "threading", "time", "uuid", "flask", "requests", "standardwebhooks"}


def test_it_connects_orders_and_sees_its_order_completed(tmp_path: Path) -> None:
    (tmp_path / "consumer.py").write_text(consumer_of_the_readme())
    log = tmp_path / "consumer.log"
    with Stage(tmp_path / "stage") as stage:
        stage.connect()
        stage.publish("po-mobile-backup")
        contact = {"contact_name": "Ada Lovelace", "contact_email": "ada@mine.example"}
        token = stage.provider().post("/registrations", {"company": "Mine", **contact})["token"]
        argv = [sys.executable, "consumer.py", stage.deployment.provider.url, token, str(free_port())]
        with log.open("wb") as output:
            consumer = subprocess.Popen(argv, cwd=tmp_path, stdout=output, stderr=subprocess.STDOUT)
        try:
            accepted = stage.until(lambda: re.search(r"^201 (ORD\d+)$", log.read_text(), re.MULTILINE))
            number = accepted.group(1)
            stage.provider("order_manager").post(f"/orders/{number}/approve")
            agent = stage.provider("fulfilment_agent")

            def completed() -> bool:
                for task in agent.pages(f"/order-tasks?order={number}"):
                    if task["state"] == "open":
                        agent.post(f"/order-tasks/{task['number']}/complete")
                return "exchange.provider_task.state_changed Closed" in log.read_text()

            stage.until(completed)
            assert "exchange.product.changed" in log.read_text()
        finally:
            consumer.send_signal(signal.SIGTERM)
            consumer.wait(10)
