"""An app that knows nothing of hubs: it tells what it was asked, and says back what it hears.

    python echo_app.py PORT

`/…` answers with the request as JSON, `/…/ws` is a websocket that echoes, `/…/events` sends a
number every 0.2 seconds. Standard library only: any Python can be the one that starts it.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import sys

_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
Reader, Writer = asyncio.StreamReader, asyncio.StreamWriter


async def serve(reader: Reader, writer: Writer) -> None:
    try:
        while await _one(reader, writer):
            pass
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def _one(reader: Reader, writer: Writer) -> bool:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    method, path, _ = head[0].split(" ", 2)
    headers = [(name.lower(), value.strip()) for name, _, value in (x.partition(":") for x in head[1:-2])]
    fields = dict(headers)
    if fields.get("upgrade", "").lower() == "websocket":
        await _echo(fields["sec-websocket-key"], reader, writer)
        return False
    if path.partition("?")[0].endswith("/events"):
        await _count(writer)
        return False
    body = await _body(fields, reader)
    told = {"method": method, "path": path, "headers": headers, "body": body.decode("latin-1")}
    content = json.dumps(told).encode()
    writer.write(
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nSet-Cookie: own=1; Path=/\r\n"
        b"Content-Length: %d\r\n\r\n" % len(content)
    )
    if method != "HEAD":
        writer.write(content)
    await writer.drain()
    return True


async def _body(fields: dict[str, str], reader: Reader) -> bytes:
    if fields.get("transfer-encoding") == "chunked":
        whole = b""
        while size := int((await reader.readline()).strip() or b"0", 16):
            whole += await reader.readexactly(size)
            await reader.readexactly(2)
        await reader.readexactly(2)
        return whole
    return await reader.readexactly(int(fields.get("content-length", 0)))


async def _count(writer: Writer) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n")
    number = 0
    while True:
        writer.write(f"data: {number}\n\n".encode())
        await writer.drain()
        number += 1
        await asyncio.sleep(0.2)


async def _echo(key: str, reader: Reader, writer: Writer) -> None:
    accept = base64.b64encode(hashlib.sha1((key + _GUID).encode()).digest()).decode()
    writer.write(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + accept.encode() + b"\r\n\r\n"
    )
    while True:
        first, size = await reader.readexactly(2)
        mask = await reader.readexactly(4)
        content = bytes(b ^ mask[i % 4] for i, b in enumerate(await reader.readexactly(size & 0x7F)))
        writer.write(bytes((first, size & 0x7F)) + content)
        await writer.drain()
        if first & 0x0F == 8:
            return


async def main() -> None:
    server = await asyncio.start_server(serve, "127.0.0.1", int(sys.argv[1]), limit=1 << 20)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
