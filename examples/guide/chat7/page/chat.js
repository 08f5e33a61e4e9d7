const log = document.getElementById("log");
const input = document.getElementById("say");
let socket;

function show(line) {
  log.append(line + "\n"); // a string becomes a text node: never markup
}

function connect(name) {
  const address = new URL("chat", location.href);
  address.protocol = address.protocol.replace("http", "ws");
  address.searchParams.set("name", name);
  socket = new WebSocket(address);
  socket.onmessage = (event) => show(event.data.trimEnd());
  socket.onclose = (event) => {
    socket = undefined;
    show((event.reason || "The connection is lost.") + " What's your name?");
  };
}

document.getElementById("form").onsubmit = (event) => {
  event.preventDefault();
  if (!socket) connect(input.value);
  else if (socket.readyState === WebSocket.OPEN) socket.send(input.value);
  else return;
  input.value = "";
};
show("What's your name?");
