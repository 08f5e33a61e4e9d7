// The chat server that Troupe's is compared with, written for Node. With the argument `collected`
// what a user is to get is collected while a turn's events are dispatched, and written once.
'use strict';

const net = require('net');

const collected = process.argv[2] === 'collected';
const users = new Map();
let unsent = [];

function send(user, text) {
  if (!collected) {
    user.socket.write(text, 'latin1');
    return;
  }
  if (user.pending === '') {
    // Runs after all sockets that are readable in this turn.
    if (unsent.length === 0) setImmediate(flush);
    unsent.push(user);
  }
  user.pending += text;
}

function flush() {
  const now = unsent;
  unsent = [];
  for (const user of now) {
    const text = user.pending;
    user.pending = '';
    if (user.socket.writable) user.socket.write(text, 'latin1');
  }
}

function received(user, line) {
  if (user.name !== null) {
    const said = `<${user.name}> ${line}\r\n`;
    for (const other of users.values()) if (other !== user) send(other, said);
  } else if (users.has(line)) {
    send(user, 'Name taken, please choose another.\r\n');
  } else {
    user.name = line;
    users.set(line, user);
    send(user, `Welcome, ${line}!\r\n`);
  }
}

const server = net.createServer((socket) => {
  const user = { socket, name: null, pending: '' };
  let input = '';
  socket.setNoDelay(true);
  socket.setEncoding('latin1'); // a character for each byte, whatever it is
  socket.on('data', (data) => {
    const lines = (input + data).split('\r\n');
    input = lines.pop();
    for (const line of lines) received(user, line);
  });
  socket.on('error', () => {});
  socket.on('close', () => {
    if (user.name !== null) users.delete(user.name);
  });
  send(user, "What's your name?\r\n");
});

server.listen({ port: 0, host: '127.0.0.1', backlog: 1000 }, () => {
  console.log(`listens on 127.0.0.1:${server.address().port}`);
});
