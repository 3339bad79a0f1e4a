"""An SMTP server on loopback that keeps what arrives: as much of RFC 5321 as it takes to receive a message."""

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_string, policy


class _Conversation(socketserver.StreamRequestHandler):
    def handle(self):
        self._say("220 ready")
        for line in self.rfile:
            command = line.decode().strip().upper()
            if command == "QUIT":
                return self._say("221 bye")
            if command == "DATA":
                self._data()
                if self.server.hangs_up:
                    return None
            else:
                self._say("550 no" if self.server.refuses and command.startswith("RCPT") else "250 ok")
        return None

    def _data(self):
        self._say("354 go on")
        lines = iter(self.rfile.readline, b".\r\n")
        self.server.messages.append(b"".join(lines).decode())
        if not self.server.hangs_up:
            self._say("250 ok")

    def _say(self, text):
        self.wfile.write(f"{text}\r\n".encode())


class MailServer(socketserver.ThreadingTCPServer):
    """Messages in the order of their arrival; it may refuse recipients, or hang up once it has taken a message."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self) -> None:
        self.messages: list[str] = []
        self.refuses = False
        self.hangs_up = False
        super().__init__(("127.0.0.1", 0), _Conversation)

    @property
    def connection(self) -> str:
        """The Airflow connection that leads here."""
        extra = "disable_ssl=true&disable_tls=true&from_email=ciclo%40example.com"
        return f"smtp://127.0.0.1:{self.server_address[1]}/?{extra}"

    def mails(self) -> list[tuple[str, str, str]]:
        """Return recipient, subject and text of each message."""
        found = []
        for raw in self.messages:
            message = message_from_string(raw, policy=policy.default)
            body = message.get_body(("html", "plain"))
            found.append((str(message["To"]), str(message["Subject"]), body.get_content() if body else ""))
        return found


@contextmanager
def running_mail_server() -> Iterator[MailServer]:
    """Run the server in a thread."""
    with MailServer() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join(5)
