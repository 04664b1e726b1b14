"""An SSH server on the loopback address that runs what it is asked to, for tests."""

import asyncio
import sys
from pathlib import Path
from typing import Any

import asyncssh


async def _handle(process: "asyncssh.SSHServerProcess[bytes]") -> None:
    """Run the command and pass its streams on; end it when the connection ends."""
    child = await asyncio.create_subprocess_shell(
        process.command or "true",
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert child.stdout is not None
    assert child.stderr is not None

    async def pass_on(source: asyncio.StreamReader, sink: Any) -> None:
        while data := await source.read(1 << 16):
            sink.write(data)

    try:
        await asyncio.gather(pass_on(child.stdout, process.stdout), pass_on(child.stderr, process.stderr))
        process.exit(await child.wait())
    finally:
        if child.returncode is None:
            child.kill()


async def serve(folder: Path) -> None:
    """Serve until killed; the folder gets the keys, the list of known hosts and, last, the port."""
    host, user = asyncssh.generate_private_key("ssh-ed25519"), asyncssh.generate_private_key("ssh-ed25519")
    user.write_private_key(str(folder / "user"))
    user.write_public_key(str(folder / "user.pub"))
    server = await asyncssh.listen(
        "127.0.0.1",
        0,
        server_host_keys=[host],
        authorized_client_keys=str(folder / "user.pub"),
        process_factory=_handle,
        encoding=None,
    )
    port = server.get_port()
    public = host.export_public_key().decode().strip()
    (folder / "known").write_text(f"[127.0.0.1]:{port} {public}\n")
    (folder / "port.new").write_text(str(port))
    (folder / "port.new").rename(folder / "port")
    await server.wait_closed()


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1])))
