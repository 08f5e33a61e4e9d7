"""A chat server that makes one mistake, at the tenth line: the load has to notice it."""

import asyncio
import sys

fault = sys.argv[1]
users = {}
said = 0


def send_to_others(name, message):
    for other, writer in users.items():
        if other != name:
            writer.write(message)


async def talk(reader, writer):
    global said
    writer.write(b"What's your name?\r\n")
    name = (await reader.readline()).rstrip(b"\r\n")
    users[name] = writer
    writer.write(b"Welcome, " + name + b"!\r\n")
    held = b""
    while line := await reader.readline():
        said += 1
        message = b"<" + name + b"> " + line
        if said == 10:
            if fault == "lost":
                continue
            if fault == "doubled":
                send_to_others(name, message)
            elif fault == "damaged":
                message = message.replace(b"from", b"frOm")
            elif fault == "reordered":
                held = message
                continue
            elif fault == "sent to its sender":
                writer.write(message)
        send_to_others(name, message + held)
        held = b""
    del users[name]
    writer.close()


async def main():
    server = await asyncio.start_server(talk, "127.0.0.1", 0, backlog=1000)
    print("listens on 127.0.0.1:%d" % server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


asyncio.run(main())
