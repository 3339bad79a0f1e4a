"""An nginx that shows a server of this machine below a path of its own, as a company's own often stands."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from demo.stack import free_port
from local_server import listening

_CONFIGURATION = """\
daemon off;
{user}
worker_processes 1;
pid {own}/pid;
error_log stderr;
events {{}}
http {{
  access_log {own}/access;
  client_body_temp_path {own}/body;
  proxy_temp_path {own}/proxied;
  fastcgi_temp_path {own}/fastcgi;
  uwsgi_temp_path {own}/uwsgi;
  scgi_temp_path {own}/scgi;
  server {{
    listen 127.0.0.1:{port};
    location {path}/ {{
      proxy_pass http://127.0.0.1:{behind};
      proxy_http_version 1.1;
      proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Proto $scheme;
      proxy_read_timeout 300s;
    }}
  }}
}}
"""


def nginx() -> str | None:
    """Return the program, where it is installed (Debian: apt-get install nginx-light)."""
    return shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")


@contextmanager
def below_a_path(program: str, path: str, behind: int) -> Iterator[str]:
    """Start it in front of a port of this machine, whose server knows that it is asked for below `path`.

    Yields:
        The address that a browser uses, without a slash at its end.
    """
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="ciclo-nginx-") as own:
        configuration = Path(own) / "nginx.conf"
        user = "user root;" if os.geteuid() == 0 else ""  # its worker writes where we may
        configuration.write_text(_CONFIGURATION.format(own=own, port=port, path=path, behind=behind, user=user))
        with listening([program, "-c", configuration, "-e", "stderr"], port, Path(own) / "log"):
            yield f"http://127.0.0.1:{port}{path}"
