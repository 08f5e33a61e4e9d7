// `peer_web.js http` answers every request with 13 bytes; `peer_web.js ws FOLDER` sends messages back, with the package ws that
// is there.
"use strict";
const tell = (server) => console.log(`listens on 127.0.0.1:${server.address().port}`);

if (process.argv[2] === "http") {
  const server = require("http").createServer((request, response) => response.end("Hello, world!"));
  server.keepAliveTimeout = 60000;
  server.listen(0, "127.0.0.1", () => tell(server));
} else {
  const { WebSocketServer } = require(process.argv[3]);
  const server = new WebSocketServer({ port: 0, host: "127.0.0.1", perMessageDeflate: false }, () => tell(server));
  server.on("connection", (socket) => socket.on("message", (data, binary) => socket.send(data, { binary })));
}
