"""What tests do to networks: lead a TCP address to a unix socket, and listen to what passes."""

from __future__ import annotations

import contextlib
import select
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence

from apphub.kit.addresses import Address

#: Connections to an address end at a unix socket.
_RELAY = """
import asyncio, sys

async def pump(reader, writer):
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    writer.close()

async def connect(reader, writer):
    try:
        there = await asyncio.open_unix_connection(sys.argv[3])
    except OSError:
        writer.close()
        return
    await asyncio.gather(pump(reader, there[1]), pump(there[0], writer))

async def serve():
    server = await asyncio.start_server(connect, sys.argv[1], int(sys.argv[2]))
    print("ready", flush=True)
    await server.serve_forever()

asyncio.run(serve())
"""


@contextlib.contextmanager
def passed_on(address: Address, path: str) -> Iterator[None]:
    """Connections to an address end at a unix socket."""
    command = [sys.executable, "-c", _RELAY, address.ip, str(address.port), path]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as relay:
        assert relay.stdout is not None
        assert relay.stdout.readline() == b"ready\n"
        try:
            yield
        finally:
            relay.kill()


@contextlib.contextmanager
def wiretap(interfaces: Sequence[str], but: Sequence[str]) -> Iterator[Callable[[], bytes]]:
    """Every frame that passes these interfaces meanwhile, but what is to or from these IPv4 addresses."""
    left_out = {socket.inet_aton(ip) for ip in but}
    heard: list[bytes] = []
    over = threading.Event()
    with contextlib.ExitStack() as stack:
        sniffers = []
        for interface in interfaces:
            sniffer = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))  # every protocol
            sniffers.append(stack.enter_context(sniffer))
            sniffer.bind((interface, 0))

        def listen() -> None:
            while not over.is_set():
                heard.extend(one.recv(65536) for one in select.select(sniffers, [], [], 0.2)[0])

        def so_far() -> bytes:
            time.sleep(0.5)
            # Source and destination, behind the head of the frame (14 bytes).
            return b"".join(one for one in heard if not {one[26:30], one[30:34]} & left_out)

        thread = threading.Thread(target=listen)
        thread.start()
        stack.callback(thread.join)
        stack.callback(over.set)
        yield so_far
