#!/usr/bin/python3
"""Runs a server of IRC as a peer of the benchmarks: irc_server.py ngircd | inspircd

It gets a configuration without limits for those who talk much, and a free port of 127.0.0.1, which is printed once the server
listens there. The server takes this process's place, so its CPU time and memory are those of this process.
"""

import os
import socket
import sys
import tempfile
import time

NGIRCD = """
[Global]
  Name = irc.example
  Info = a peer
  AdminInfo1 = none
  AdminInfo2 = none
  AdminEMail = none@irc.example
  Listen = 127.0.0.1
  Ports = {port}
  ServerUID = root
  ServerGID = root
[Limits]
  MaxConnections = 0
  MaxConnectionsIP = 0
  MaxJoins = 0
  MaxPenaltyTime = 0
  PingTimeout = 3600
[Options]
  DNS = no
  Ident = no
  PAM = no
  SyslogFacility = local1
"""

INSPIRCD = """
<server name="irc.example" description="a peer" network="Peer">
<admin name="none" nick="none" email="none@irc.example">
<bind address="127.0.0.1" port="{port}" type="clients">
<connect allow="*" timeout="60" threshold="1000000" commandrate="1000000000" fakelag="no" pingfreq="1h"
  hardsendq="64M" softsendq="16M" recvq="64K" localmax="100000" globalmax="100000" maxconnwarn="no"
  resolvehostnames="no" limit="100000">
<performance softlimit="100000" somaxconn="4096" netbuffersize="10240" quietbursts="yes">
<log method="file" type="* -USERINPUT -USEROUTPUT" level="default" target="/dev/null">
<pid file="{folder}/pid">
"""


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as s:
        return s.getsockname()[1]


def tell_once_it_listens(port, server):
    for _ in range(1000):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            print(f"listens on 127.0.0.1:{port}", flush=True)
            return
        except OSError:
            time.sleep(0.01)
        if os.getppid() != server:
            return


def main():
    which = sys.argv[1]
    port = free_port()
    folder = tempfile.mkdtemp(prefix="troupe-bench-")
    conf = os.path.join(folder, which + ".conf")
    with open(conf, "w", encoding="ascii") as file:
        file.write({"ngircd": NGIRCD, "inspircd": INSPIRCD}[which].format(port=port, folder=folder))
    server = os.getpid()
    if os.fork() == 0:
        tell_once_it_listens(port, server)
        os.unlink(conf)
        os._exit(0)
    null = os.open("/dev/null", os.O_WRONLY)
    os.dup2(null, 1)
    if which == "ngircd":
        os.execv("/usr/sbin/ngircd", ["ngircd", "-n", "-f", conf])
    os.execv("/usr/sbin/inspircd",
             ["inspircd", "--nofork", "--nopid", "--runasroot", "--config", conf])


main()
