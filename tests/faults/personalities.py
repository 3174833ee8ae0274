#!/usr/bin/env python3
"""More bad manners for the harness `faults` (its `--extra`): servers that answer at the wrong moment.

    BATCHSSH_BIN=target/release/batchssh ../shared/faults/run --extra "$PWD/tests/faults/personalities.py"
"""
import asyncio
import os
import sys

sys.path.insert(0, os.environ["EVIL_DIR"])
import asyncssh                                    # noqa: E402
import evil_sshd                                   # noqa: E402
from asyncssh.packet import UInt32                # noqa: E402
from evil_sshd import Server, mode, process_mode, raw, ssh, FOREVER   # noqa: E402

evil_sshd.MODES.clear()


@mode("banner-flood", "connect", "sends lines before its banner, for ever")
async def _(ctx):
    async def h(r, w):
        while True:
            w.write(b"\x1b[2Jnot a banner yet\r\n" * 512)
            await w.drain()
            await asyncio.sleep(0.01)
    return await raw(ctx, h)


@mode("banner-then-eof", "connect", "sends its banner and closes")
async def _(ctx):
    async def h(r, w):
        w.write(b"SSH-2.0-OpenSSH_9.9\r\n")
        await w.drain()
    return await raw(ctx, h)


@mode("another-protocol", "connect", "answers like a web server")
async def _(ctx):
    async def h(r, w):
        w.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        await w.drain()
        await asyncio.sleep(FOREVER)
    return await raw(ctx, h)


def session_mode(name, doc):
    def deco(cls):
        async def start(ctx):
            class S(Server):
                def session_requested(self):
                    return cls()
            return await ssh(ctx, S)
        evil_sshd.MODES[name] = ("exec", start, doc)
        return cls
    return deco


class Session(asyncssh.SSHServerSession):
    def connection_made(self, chan):
        self.chan = chan


@session_mode("exec-asked-then-closed", "the connection closes instead of an answer to the exec request")
class _(Session):
    def exec_requested(self, command):
        self.chan.get_connection().abort()
        return True


@session_mode("exec-denied", "answers no to the exec request")
class _(Session):
    def exec_requested(self, command):
        return False


@process_mode("exec-status-255", "the command ends with 255, as ssh itself does when it cannot connect")
async def _(p):
    p.exit(255)


@process_mode("exec-status-huge", "the exit status is 2^31 and more")
async def _(p):
    # exit() keeps eight bits of it.
    p.channel._send_request(b"exit-status", UInt32(0x90000000))
    p.channel.close()


@process_mode("exec-late-status", "end of file at once, the exit status 0.7 s later")
async def _(p):
    p.stdout.write(b"early\n")
    p.stdout.write_eof()
    await asyncio.sleep(0.7)
    p.exit(0)


@process_mode("exec-disconnect-message", "says goodbye by SSH_MSG_DISCONNECT while the command runs")
async def _(p):
    p.stdout.write(b"half")
    await p.stdout.drain()
    await asyncio.sleep(0.2)
    p.channel.get_connection().disconnect(asyncssh.DISC_BY_APPLICATION, "\x1b]0;owned\x07going down\nfor maintenance")


BAD = None  # the table begins here
EXPECT = {
    "banner-flood": {"verdict": {"unreachable"}, "within": "connect"},
    "banner-then-eof": {"verdict": {"unreachable"}, "within": "connect"},
    "another-protocol": {"verdict": {"unreachable"}, "within": "connect"},
    "exec-asked-then-closed": {"verdict": {"in_doubt"}, "within": "task"},
    "exec-denied": {"verdict": {"failed"}, "within": "task"},
    "exec-status-255": {"verdict": {"failed"}, "within": "task"},
    "exec-status-huge": {"verdict": {"failed"}, "within": "task"},
    "exec-late-status": {"verdict": {"ok", "changed"}, "within": "task"},
    "exec-disconnect-message": {"verdict": {"in_doubt"}, "within": "task"},
}

if __name__ == "__main__":
    evil_sshd.main()
