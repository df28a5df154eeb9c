"""Does every send end at its deadline, with an answer or a classified fault, whatever the far side does?"""

import contextlib
import gzip
import random
import select
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from bridge.carriers import Senders
from bridge.egress import AddressGuard, FaultKind, Reply, Sender, SendFailed

LOOPBACK = AddressGuard(("127.0.0.0/8",))
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
DEADLINE_S = 0.3
AMPLE_S = 10.0
LATE_S = 0.5
"""What a busy machine may add; without their deadline these sends take five seconds or for ever."""
"""For what does not wait for its end, also where the machine is so busy that a process rests for seconds."""
RESET_ON_CLOSE = struct.pack("ii", 1, 0)

Play = Callable[[socket.socket, int], None]


class RawServer:
    """Runs `play(connection, number)` in a thread per connection, and remembers the bytes of each request."""

    def __init__(self, play: Play, tls: ssl.SSLContext | None = None) -> None:
        self._play = play
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}/hook"
        self.connections = 0
        self.requests: list[bytes] = []
        self._open: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self._open.append(connection)
                thread = threading.Thread(target=self._serve, args=(connection, self.connections))
                self.connections += 1
                self._threads.append(thread)
                thread.start()

    def _serve(self, connection: socket.socket, number: int) -> None:
        with contextlib.suppress(OSError):
            if self._tls:
                connection = self._tls.wrap_socket(connection, server_side=True)
                self._open.append(connection)
            with connection:
                self._play(connection, number)

    def close(self) -> None:
        for sock in (self._listener, *self._open):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()
        for thread in self._threads:
            thread.join(5)

    def read(self, connection: socket.socket) -> bytes:
        """One request; its body is as long as Content-Length says. Empty when the client has gone."""
        data = b""
        while b"\r\n\r\n" not in data:
            chunk = connection.recv(65536)
            if not chunk:
                return b""
            data += chunk
        head, _, body = data.partition(b"\r\n\r\n")
        length = next(
            (int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0
        )
        while len(body) < length:
            body += connection.recv(65536)
        self.requests.append(head + b"\r\n\r\n" + body)
        return self.requests[-1]


Serve = Callable[..., RawServer]


@pytest.fixture
def serve() -> Iterator[Serve]:
    servers: list[RawServer] = []

    def start(answer: bytes | Play, tls: ssl.SSLContext | None = None) -> RawServer:
        def answer_and_close(connection: socket.socket, _: int) -> None:
            server.read(connection)
            connection.sendall(answer)  # type: ignore[arg-type]

        server = RawServer(answer_and_close if isinstance(answer, bytes) else answer, tls)
        servers.append(server)
        return server

    yield start
    for server in servers:
        server.close()


@pytest.fixture
def sender() -> Iterator[Sender]:
    with Sender(LOOPBACK, user_agent="sxg-test") as sender:
        yield sender


def post(sender: Sender, url: str, *, deadline_s: float = AMPLE_S, body: bytes = b"{}", limit: int = 65536) -> Reply:
    return sender.send("POST", url, body=body, headers={}, deadline_s=deadline_s, response_limit_bytes=limit)


def fault_of(sender: Sender, url: str, *, deadline_s: float = AMPLE_S, limit: int = 65536) -> SendFailed:
    with pytest.raises(SendFailed) as caught:
        post(sender, url, deadline_s=deadline_s, limit=limit)
    return caught.value


# --- what is sent, and what comes back


def test_a_request_arrives_with_our_headers_and_nothing_from_the_environment(
    serve: Serve, sender: Sender, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login spy password secret\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1/")
    server = serve(OK)
    reply = sender.send("POST", server.url, body=b"abc", headers={"X-One": "1"}, deadline_s=2.0)
    assert (reply.status, reply.body, reply.headers["content-length"]) == (200, b"ok", "2")
    assert 0 < reply.duration_s < 2
    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    lines = {line.split(b":")[0].lower(): line for line in head.split(b"\r\n")}
    assert body == b"abc"
    assert lines[b"post /hook http/1.1"]
    assert lines[b"host"] == b"Host: 127.0.0.1:%d" % server.port
    assert lines[b"user-agent"] == b"User-Agent: sxg-test"
    assert lines[b"accept-encoding"] == b"Accept-Encoding: identity"
    assert lines[b"x-one"] == b"X-One: 1"
    assert not {b"authorization", b"proxy-authorization", b"cookie"} & lines.keys()


def test_a_header_that_would_split_the_request_is_our_own_mistake(sender: Sender) -> None:
    for headers in ({"X-One": "a\r\nX-Two: b"}, {"X-One\r\n": "a"}, {"X-One": "\u20ac"}):
        with pytest.raises(ValueError):
            sender.send("POST", "https://example.com/", body=b"", headers=headers, deadline_s=1.0)


def test_cookies_are_not_kept(serve: Serve, sender: Sender) -> None:
    server = serve(b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b; Path=/\r\nContent-Length: 0\r\n\r\n")
    post(sender, server.url)
    post(sender, server.url)
    assert b"cookie" not in server.requests[1].lower()


def test_an_answer_without_a_body(serve: Serve, sender: Sender) -> None:
    reply = post(sender, serve(b"HTTP/1.1 204 No Content\r\n\r\n").url)
    assert (reply.status, reply.body) == (204, b"")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_an_answer_and_not_followed(serve: Serve, sender: Sender, status: int) -> None:
    other = serve(OK)
    server = serve(f"HTTP/1.1 {status} Moved\r\nLocation: {other.url}\r\nContent-Length: 0\r\n\r\n".encode())
    reply = post(sender, server.url)
    assert (reply.status, reply.headers["Location"], other.connections) == (status, other.url, 0)


def test_the_body_of_a_redirect_is_capped_and_not_unpacked(serve: Serve, sender: Sender) -> None:
    bomb = gzip.compress(bytes(50_000_000))
    head = b"HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(bomb)
    reply = post(sender, serve(head + bomb).url, limit=len(bomb))
    assert reply.body == bomb


def test_a_gzip_bomb_is_not_unpacked(serve: Serve, sender: Sender) -> None:
    bomb = gzip.compress(bytes(50_000_000))
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(bomb)
    started = time.monotonic()
    assert post(sender, serve(head + bomb).url, limit=len(bomb)).body == bomb
    assert time.monotonic() - started < 0.5


def test_control_characters_in_an_answers_fields_are_replaced(serve: Serve, sender: Sender) -> None:
    reply = post(sender, serve(b"HTTP/1.1 200 OK\r\nX-Bad: a\x00b\x1bc\r\nContent-Length: 0\r\n\r\n").url)
    assert reply.headers["X-Bad"] == "a b c"


# --- the deadline


def silent(connection: socket.socket, _: int) -> None:
    connection.recv(1)
    until_closed = select.poll()
    until_closed.register(connection, 0)
    until_closed.poll(5000)


def dripping(head: bytes, drop: bytes) -> Play:
    def play(connection: socket.socket, _: int) -> None:
        connection.recv(65536)
        connection.sendall(head)
        while True:
            connection.sendall(drop)
            time.sleep(0.02)

    return play


ENDLESS = {
    "silent": silent,
    "dripping status line": dripping(b"", b"H"),
    "dripping header": dripping(b"HTTP/1.1 200 OK\r\nX-Long: ", b"a"),
    "dripping headers": dripping(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"),
    "dripping body": dripping(b"HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n", b"a"),
    "dripping body until close": dripping(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", b"a"),
    "dripping chunks": dripping(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\na\r\n"),
    "dripping chunk size": dripping(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"0"),
    "dripping 100-continue": dripping(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
}


@pytest.mark.parametrize("name", ENDLESS)
def test_an_endless_answer_ends_at_the_deadline(serve: Serve, sender: Sender, name: str) -> None:
    fault = fault_of(sender, serve(ENDLESS[name]).url, deadline_s=DEADLINE_S)
    assert fault.kind is FaultKind.TIMEOUT
    assert "waiting for the answer" in fault.detail
    assert DEADLINE_S <= fault.duration_s < DEADLINE_S + LATE_S


def test_a_server_that_does_not_read_ends_at_the_deadline(serve: Serve, sender: Sender) -> None:
    server = serve(silent)
    with pytest.raises(SendFailed) as caught:
        post(sender, server.url, body=bytes(20_000_000), deadline_s=DEADLINE_S)
    assert (caught.value.kind, caught.value.duration_s < DEADLINE_S + LATE_S) == (FaultKind.TIMEOUT, True)


def test_a_tls_handshake_that_never_answers_ends_at_the_deadline(serve: Serve, sender: Sender) -> None:
    server = serve(silent)
    # Loading the certificates comes first, and may take a while on a busy machine.
    fault = fault_of(sender, server.url.replace("http:", "https:"), deadline_s=1.0)
    assert (fault.kind, "TLS" in fault.detail) == (FaultKind.TIMEOUT, True)
    assert fault.duration_s < 1.0 + LATE_S


def test_a_slow_name_server_ends_at_the_deadline() -> None:
    release = threading.Event()

    def slow(_host: str, _port: int) -> Sequence[str]:
        release.wait(5)
        return ["127.0.0.1"]

    with Sender(LOOPBACK, user_agent="t", resolver=slow) as sender:
        fault = fault_of(sender, "https://slow.example/", deadline_s=DEADLINE_S)
    release.set()
    assert (fault.kind, "resolving slow.example" in fault.detail) == (FaultKind.TIMEOUT, True)
    assert fault.duration_s < DEADLINE_S + LATE_S


def test_an_address_that_swallows_packets_leaves_time_for_the_next(serve: Serve) -> None:
    server = serve(OK)
    with contextlib.ExitStack() as stack:
        full = stack.enter_context(socket.socket())
        full.bind(("127.0.0.2", server.port))
        full.listen(0)
        for _ in range(4):  # a full backlog drops what comes: no answer, as behind a silent firewall
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(("127.0.0.2", server.port))
        sender = Sender(LOOPBACK, user_agent="t", resolver=lambda _host, _port: ["127.0.0.2", "127.0.0.1"])
        reply = stack.enter_context(sender).send(
            "POST", f"http://two.example:{server.port}/", body=b"", headers={}, deadline_s=0.6
        )
    assert reply.status == 200
    assert 0.25 < reply.duration_s < 0.6


# --- answers that are not HTTP, or too much of it

HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
FAULTY = {
    "closed without a word": (b"", FaultKind.RESET),
    "garbage": (b"\x16\x03\x01 what is this\r\n\r\n", FaultKind.BAD_RESPONSE),
    "HTTP/0.9": (b"<html>hello</html>", FaultKind.BAD_RESPONSE),
    "another protocol": (b"SSH-2.0-OpenSSH_9.2\r\n", FaultKind.BAD_RESPONSE),
    "HTTP/2": (b"HTTP/2.0 200 OK\r\n\r\n", FaultKind.BAD_RESPONSE),
    "status in words": (b"HTTP/1.1 OK 200\r\n\r\n", FaultKind.BAD_RESPONSE),
    "status 0": (b"HTTP/1.1 000 Nothing\r\n\r\n", FaultKind.BAD_RESPONSE),
    "status 999": (b"HTTP/1.1 999 Odd\r\nContent-Length: 0\r\n\r\n", FaultKind.BAD_RESPONSE),
    "status 101": (b"HTTP/1.1 101 Switching\r\n\r\n", FaultKind.BAD_RESPONSE),
    "early hints": (b"HTTP/1.1 103 Early Hints\r\n\r\n" + OK, FaultKind.BAD_RESPONSE),
    "endless status line": (b"HTTP/1.1 200 " + b"a" * 200_000, FaultKind.BAD_RESPONSE),
    "endless header": (HEAD + b"X: " + b"a" * 200_000, FaultKind.BAD_RESPONSE),
    "many headers": (HEAD + b"X: y\r\n" * 200 + b"\r\n", FaultKind.BAD_RESPONSE),
    "endless headers": (HEAD + (b"X: " + b"a" * 60_000 + b"\r\n") * 10, FaultKind.TOO_LARGE),
    "many 100-continue": (b"HTTP/1.1 100 Continue\r\n\r\n" * 100_000, FaultKind.TOO_LARGE),
    "bad chunk size": (CHUNKED + b"zz\r\nabc\r\n0\r\n\r\n", FaultKind.BAD_RESPONSE),
    "negative chunk size": (CHUNKED + b"-1\r\n" + bytes(300_000), FaultKind.TOO_LARGE),
    "cut chunk": (CHUNKED + b"ff\r\nabc", FaultKind.BAD_RESPONSE),
    "no last chunk": (CHUNKED + b"3\r\nabc\r\n", FaultKind.BAD_RESPONSE),
    "endless trailer": (CHUNKED + b"0\r\n" + b"X: y\r\n" * 100_000, FaultKind.TOO_LARGE),
    "cut body": (HEAD + b"Content-Length: 10\r\n\r\nabc", FaultKind.BAD_RESPONSE),
    "huge body": (HEAD + b"Content-Length: 10000000000\r\n\r\n" + bytes(200_000), FaultKind.TOO_LARGE),
    "huge chunk": (CHUNKED + b"fffffffff\r\n" + bytes(200_000), FaultKind.TOO_LARGE),
    "body until close": (HEAD + b"\r\n" + bytes(200_000), FaultKind.TOO_LARGE),
    "one byte over": (HEAD + b"Content-Length: 65537\r\n\r\n" + bytes(65537), FaultKind.TOO_LARGE),
    "many encodings": (HEAD + b"Content-Encoding: " + b"gzip, " * 50 + b"\r\n\r\nabc", FaultKind.BAD_RESPONSE),
}


@pytest.mark.parametrize("name", FAULTY)
def test_an_answer_that_cannot_be_used_is_a_classified_fault(serve: Serve, sender: Sender, name: str) -> None:
    answer, kind = FAULTY[name]
    fault = fault_of(sender, serve(answer).url)
    assert (fault.kind, fault.duration_s < AMPLE_S / 2) == (kind, True)
    assert fault.detail


@pytest.mark.parametrize(
    "body", [HEAD + b"Content-Length: 65536\r\n\r\n" + bytes(65536), HEAD + b"\r\n" + bytes(65536)]
)
def test_an_answer_of_exactly_the_limit_passes(serve: Serve, sender: Sender, body: bytes) -> None:
    assert len(post(sender, serve(body).url).body) == 65536


def test_random_damage_is_never_anything_but_a_reply_or_a_fault(serve: Serve, sender: Sender) -> None:
    chance = random.Random(20261121)
    good = (
        CHUNKED.replace(b"\r\n\r\n", b"\r\nSet-Cookie: a=b\r\nContent-Type: a/b; charset=x\r\n\r\n")
        + b"3\r\nabc\r\n0\r\n\r\n"
    )

    def damaged(connection: socket.socket, _: int) -> None:
        server.read(connection)
        answer = bytearray(good)
        for _change in range(chance.randint(1, 6)):
            at = chance.randrange(len(answer))
            answer[at : at + chance.randint(0, 3)] = chance.randbytes(chance.randint(0, 3))
        connection.sendall(answer)

    server = serve(damaged)
    kinds = set()
    for _ in range(400):
        try:
            kinds.add(str(post(sender, server.url, deadline_s=1.0).status))
        except SendFailed as fault:
            kinds.add(fault.kind)
    assert {"200", FaultKind.BAD_RESPONSE} <= kinds


def test_a_reset_and_a_closed_port_are_told_apart(serve: Serve, sender: Sender) -> None:
    def reset(connection: socket.socket, _: int) -> None:
        connection.recv(65536)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)

    assert fault_of(sender, serve(reset).url).kind is FaultKind.RESET
    with socket.socket() as unused:  # bound and not listening: nobody else can take the port meanwhile
        unused.bind(("127.0.0.1", 0))
        assert fault_of(sender, f"http://127.0.0.1:{unused.getsockname()[1]}/").kind is FaultKind.CONNECT


# --- keep-alive


def keep_alive(server: Callable[[], RawServer], answers: int) -> Play:
    def play(connection: socket.socket, _: int) -> None:
        for _answer in range(answers):
            if server().read(connection):
                connection.sendall(OK)

    return play


def test_a_connection_is_used_again(serve: Serve, sender: Sender) -> None:
    server: RawServer = serve(keep_alive(lambda: server, 100))
    for _ in range(20):
        assert post(sender, server.url).body == b"ok"
    assert server.connections == 1


def test_peers_that_take_turns_each_keep_their_connection_up_to_a_limit(serve: Serve) -> None:
    server: RawServer = serve(keep_alive(lambda: server, 100))
    senders = Senders(LOOPBACK, "sxg-test")

    def post_to(peers: Iterable[int]) -> int:
        for peer in peers:
            post(senders[str(peer)], server.url)
        return server.connections

    assert post_to(range(100)) == post_to(range(100)) == 100
    assert post_to(range(1000, 1256)) == 100 + 256  # as many as are kept, so that none of the first ones is
    assert post_to(range(100)) == 100 + 256 + 100
    assert post_to([1255]) == 100 + 256 + 100


def test_a_closed_idle_connection_is_replaced(serve: Serve, sender: Sender) -> None:
    server: RawServer = serve(keep_alive(lambda: server, 1))
    for _ in range(3):
        assert post(sender, server.url).status == 200
        time.sleep(0.02)
    assert (server.connections, len(server.requests)) == (3, 3)


def test_a_connection_closed_while_we_write_is_tried_once_more(serve: Serve, sender: Sender) -> None:
    def play(connection: socket.socket, number: int) -> None:
        server.read(connection)
        connection.sendall(OK)
        if server.read(connection) and number != 0:  # the first connection takes a second request and closes
            connection.sendall(OK)

    server: RawServer = serve(play)
    assert [post(sender, server.url).status for _ in range(2)] == [200, 200]
    assert (server.connections, len(server.requests)) == (2, 3)


def test_a_new_connection_is_not_tried_twice(serve: Serve, sender: Sender) -> None:
    server = serve(b"")
    assert fault_of(sender, server.url).kind is FaultKind.RESET
    assert len(server.requests) == 1


@pytest.mark.parametrize("kind", [FaultKind.BAD_RESPONSE, FaultKind.RESET])
def test_an_answer_that_began_is_not_asked_for_again(serve: Serve, sender: Sender, kind: FaultKind) -> None:
    def play(connection: socket.socket, _: int) -> None:
        server.read(connection)
        connection.sendall(OK)
        server.read(connection)
        connection.sendall(b"HTTP/1.1 2")
        if kind is FaultKind.RESET:
            time.sleep(0.05)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)

    server: RawServer = serve(play)
    post(sender, server.url)
    assert fault_of(sender, server.url).kind is kind
    assert len(server.requests) == 2


def test_a_late_answer_is_never_taken_for_the_next_one(serve: Serve, sender: Sender) -> None:
    given_up = threading.Event()

    def play(connection: socket.socket, number: int) -> None:
        server.read(connection)
        if number == 0:
            given_up.wait(AMPLE_S)
        connection.sendall(OK.replace(b"ok", b"%02d" % number))

    server: RawServer = serve(play)
    assert fault_of(sender, server.url, deadline_s=DEADLINE_S).kind is FaultKind.TIMEOUT
    given_up.set()
    assert post(sender, server.url).body == b"01"


# --- names and addresses


def test_a_name_is_looked_up_once_per_connect_and_the_checked_address_is_used(serve: Serve) -> None:
    server = serve(OK)
    lookups: list[str] = []

    def rebinding(host: str, _port: int) -> Sequence[str]:
        lookups.append(host)
        return ["127.0.0.1"] if len(lookups) % 2 else ["10.0.0.1"]

    with Sender(LOOPBACK, user_agent="t", resolver=rebinding) as sender:
        for turn in range(1, 7):
            url = f"http://rebind.example:{server.port}/"
            if turn % 2:
                assert post(sender, url).status == 200
            else:
                assert fault_of(sender, url).kind is FaultKind.REFUSED_ADDRESS
            sender.close()
            assert len(lookups) == turn
    assert server.connections == 3
    assert all(b"Host: rebind.example:%d" % server.port in request for request in server.requests)


@pytest.mark.parametrize(
    "addresses", [["127.0.0.1", "10.0.0.1"], ["10.0.0.1", "127.0.0.1"], ["127.0.0.1", "fd00::1"], []]
)
def test_good_and_bad_addresses_together_are_refused(serve: Serve, addresses: list[str]) -> None:
    server = serve(OK)
    with Sender(LOOPBACK, user_agent="t", resolver=lambda _host, _port: addresses) as sender:
        assert fault_of(sender, f"http://mixed.example:{server.port}/").kind is FaultKind.REFUSED_ADDRESS
    assert server.connections == 0


def test_loopback_is_refused_without_a_setting(serve: Serve) -> None:
    server = serve(OK)
    with Sender(AddressGuard(), user_agent="t") as sender:
        for url in (server.url, server.url.replace("http:", "https:"), f"https://localhost:{server.port}/"):
            assert fault_of(sender, url).kind is FaultKind.REFUSED_ADDRESS
    assert server.connections == 0


def test_a_name_that_does_not_exist_is_a_fault_of_dns() -> None:
    def unknown(host: str, _port: int) -> Sequence[str]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    with Sender(LOOPBACK, user_agent="t", resolver=unknown) as sender:
        assert fault_of(sender, "https://nowhere.example/").kind is FaultKind.DNS


# --- TLS


def certificate(folder: Path, name: str, *, days: int = 1) -> tuple[Path, ssl.SSLContext]:
    """A self-signed certificate for `name`: the bundle that trusts it, and a server context that shows it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    alternative: x509.GeneralName = x509.DNSName(name) if "example" in name else x509.IPAddress(ip_address(name))
    begin = datetime.now(UTC) - timedelta(days=2)
    built = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(begin)
        .not_valid_after(begin + timedelta(days=2 + days))
        .add_extension(x509.SubjectAlternativeName([alternative]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = folder / f"{name}.pem"
    pem.write_bytes(built.public_bytes(serialization.Encoding.PEM))
    both = folder / f"{name}.key"
    both.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + pem.read_bytes()
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(both)
    return pem, context


def tls_sender(ca_bundle: Path | None) -> Sender:
    return Sender(
        LOOPBACK,
        user_agent="t",
        ca_bundle=str(ca_bundle) if ca_bundle else None,
        resolver=lambda _host, _port: ["127.0.0.1"],
    )


def test_tls_uses_the_name_for_host_sni_and_certificate(serve: Serve, tmp_path: Path) -> None:
    bundle, context = certificate(tmp_path, "shop.example")
    asked: list[str | None] = []
    context.sni_callback = lambda _sock, name, _context: asked.append(name)
    server: RawServer = serve(keep_alive(lambda: server, 10), context)
    with tls_sender(bundle) as sender:
        for _ in range(5):
            assert post(sender, f"https://shop.example:{server.port}/").body == b"ok"
    assert asked == ["shop.example"]
    assert b"Host: shop.example:%d\r\n" % server.port in server.requests[0]


def test_a_dripping_answer_over_tls_ends_at_the_deadline(serve: Serve, tmp_path: Path) -> None:
    bundle, context = certificate(tmp_path, "shop.example")
    server = serve(ENDLESS["dripping headers"], context)
    with tls_sender(bundle) as sender:
        fault = fault_of(sender, f"https://shop.example:{server.port}/", deadline_s=DEADLINE_S)
    assert (fault.kind, fault.duration_s < DEADLINE_S + LATE_S) == (FaultKind.TIMEOUT, True)


def test_a_tls_connection_closed_while_we_write_is_tried_once_more(serve: Serve, tmp_path: Path) -> None:
    bundle, context = certificate(tmp_path, "shop.example")

    def play(connection: socket.socket, number: int) -> None:
        server.read(connection)
        connection.sendall(OK)
        if server.read(connection) and number != 0:
            connection.sendall(OK)

    server: RawServer = serve(play, context)
    with tls_sender(bundle) as sender:
        assert [post(sender, f"https://shop.example:{server.port}/").status for _ in range(2)] == [200, 200]
    assert server.connections == 2


@pytest.mark.parametrize("case", ["unknown issuer", "another name", "expired", "not TLS"])
def test_a_certificate_that_proves_nothing_is_a_tls_fault(serve: Serve, tmp_path: Path, case: str) -> None:
    name = "other.example" if case == "another name" else "shop.example"
    bundle, context = certificate(tmp_path, name, days=-1 if case == "expired" else 1)

    def answer_in_plain_text(connection: socket.socket, _: int) -> None:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    server = serve(answer_in_plain_text) if case == "not TLS" else serve(OK, context)
    with tls_sender(None if case == "unknown issuer" else bundle) as sender:
        assert fault_of(sender, f"https://shop.example:{server.port}/").kind is FaultKind.TLS
    assert all(b"POST" not in request for request in server.requests)
