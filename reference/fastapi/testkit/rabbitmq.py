"""A RabbitMQ of our own: the real server, on free ports, in a folder that goes when it goes."""

import contextlib
import os
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

SERVER = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
"""Where Debian puts it; beside it, what its wrapper under /usr/sbin starts as another user."""

PATIENCE = 180
"""Seconds; nothing is judged by it."""


def installed() -> bool:
    """Whether there is a server to start."""
    return SERVER.exists()


@contextlib.contextmanager
def serve() -> Iterator[str]:
    """Start one; its address."""
    with tempfile.TemporaryDirectory(prefix="rabbitmq-") as folder, _free_ports(3) as ports:
        amqp, distribution, mapper = ports
        home = Path(folder)
        (home / "rabbitmq.conf").write_text("log.console = true\nlog.file = false\n")
        environment = os.environ | {
            "HOME": folder,
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_EPMD_PORT": str(mapper),
            "RABBITMQ_NODENAME": f"payments{amqp}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(amqp),
            "RABBITMQ_DIST_PORT": str(distribution),
            "RABBITMQ_MNESIA_BASE": str(home / "data"),
            "RABBITMQ_LOG_BASE": str(home / "log"),
            "RABBITMQ_CONFIG_FILE": str(home / "rabbitmq.conf"),
            "RABBITMQ_CONF_ENV_FILE": str(home / "none"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(home / "plugins"),
            "RABBITMQ_PID_FILE": str(home / "pid"),
        }
        with (home / "output").open("wb") as output:
            server = subprocess.Popen(
                [SERVER], env=environment, stdout=output, stderr=subprocess.STDOUT
            )
        try:
            _wait(server, amqp, home / "output")
            yield f"amqp://guest:guest@127.0.0.1:{amqp}/"
        finally:
            server.terminate()
            server.wait(PATIENCE)
            subprocess.run(["epmd", "-kill"], env=environment, capture_output=True, check=False)  # noqa: S607


@contextlib.contextmanager
def _free_ports(count: int) -> Iterator[list[int]]:
    with contextlib.ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        ports = [int(probe.getsockname()[1]) for probe in probes]
    yield ports


def _wait(server: subprocess.Popen[bytes], port: int, output: Path) -> None:
    """Until it listens."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        assert server.poll() is None, output.read_text()[-2000:]
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.1)
    raise TimeoutError(output.read_text()[-2000:])
