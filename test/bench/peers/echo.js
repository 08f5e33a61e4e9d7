// The echo server that Troupe's is compared with, written for Node.
'use strict';

const net = require('net');

const server = net.createServer((socket) => {
  socket.setNoDelay(true);
  socket.on('error', () => {});
  socket.on('data', (data) => socket.write(data));
});

server.listen({ port: 0, host: '127.0.0.1', backlog: 1000 }, () => {
  console.log(`listens on 127.0.0.1:${server.address().port}`);
});
