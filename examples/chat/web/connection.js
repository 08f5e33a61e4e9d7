// The WebSocket to the chat: made again whenever it is lost, and tells so.

const first_wait = 500;     // milliseconds, until it is tried again
const longest_wait = 10000;
const silence = 25000;      // then the server is asked whether it is there
const patience = 10000;     // with its answer

export class Connection {
  /// `told(message)` is called with each message, `opened()` when there is a connection, `lost(seconds)` when there
  /// is none: it is tried again after so many, at once if that is 0.
  constructor({ told, opened, lost }) {
    Object.assign(this, { told, opened, lost });
    this.wait = first_wait;
    addEventListener("online", () => this.try_now());
    this.connect();
  }

  /// Sends a message; returns false if there is no connection.
  send(message) {
    if (this.socket?.readyState !== WebSocket.OPEN) return false;
    this.socket.send(JSON.stringify(message));
    return true;
  }

  /// Does not wait any longer.
  try_now() {
    if (this.timer === undefined) return;
    this.connect();
  }

  connect() {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.lost(0);
    const address = new URL("chat", location.href);
    address.protocol = location.protocol === "https:" ? "wss:" : "ws:";
    address.hash = "";
    const socket = this.socket = new WebSocket(address);
    this.watch(patience);
    socket.onopen = () => {
      this.wait = first_wait;
      this.watch(silence);
      this.opened();
    };
    socket.onmessage = (event) => {
      this.watch(silence);
      const message = JSON.parse(event.data);
      if (message.is !== "pong") this.told(message);
    };
    socket.onclose = () => this.ended(socket);
  }

  // Looks after some time whether anything has come: a connection may be dead without an end.
  watch(after) {
    clearTimeout(this.watching);
    const socket = this.socket;
    this.watching = setTimeout(() => {
      if (!this.send({ do: "ping" })) return this.ended(socket);
      this.watching = setTimeout(() => this.ended(socket), patience);
    }, after);
  }

  ended(socket) {
    if (socket !== this.socket) return;
    clearTimeout(this.watching);
    this.socket = undefined;
    socket.close();
    const wait = this.wait * (0.75 + Math.random() / 2); // not all pages at once
    this.wait = Math.min(longest_wait, this.wait * 2);
    this.timer = setTimeout(() => this.connect(), wait);
    this.lost(wait / 1000);
  }
}
