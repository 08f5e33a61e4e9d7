// The page of the chat. What others say or are called goes into the page as text nodes, never as markup.

import { Connection } from "./connection.js";
import { Conversations } from "./conversations.js";

const by_id = (id) => document.getElementById(id);
const conversations = new Conversations();
const me = {
  name: sessionStorage.getItem("name") ?? "", // as which one comes back
  welcome: false,                             // the chat knows us
  tries: 0,                                   // to have the name again behind a lost connection
  rooms: JSON.parse(sessionStorage.getItem("rooms") ?? '["lobby"]'),
};
let other_rooms = [];

function element(name, text, kind) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (kind) made.className = kind;
  return made;
}

function remember() {
  sessionStorage.setItem("name", me.name);
  if (conversations.rooms().length) me.rooms = conversations.rooms().map((c) => c.name);
  sessionStorage.setItem("rooms", JSON.stringify(me.rooms));
}

// -- the picture: what has changed is drawn once before the next frame ---------------------------

const stale = new Set();
function redraw(...parts) {
  if (stale.size === 0) setTimeout(draw, 30);
  for (const p of parts) stale.add(p);
}

function draw() {
  const parts = new Set(stale);
  stale.clear();
  const focused = document.activeElement?.dataset?.key;
  if (parts.has("lists")) draw_lists();
  if (parts.has("people")) draw_people();
  if (parts.has("log")) draw_log();
  if (focused && !document.contains(document.activeElement) || (focused && document.activeElement === document.body))
    [...document.querySelectorAll("[data-key]")].find((e) => e.dataset.key === focused)?.focus();
}

function entry(key, text, count, action) {
  const item = element("li");
  const button = element("button");
  button.type = "button";
  button.dataset.key = key;
  button.append(element("bdi", text));
  if (count) button.append(count);
  button.addEventListener("click", action);
  item.append(button);
  return item;
}

function draw_lists() {
  const open = [...conversations.all.values()].map((c) => {
    const count = c.unread ? element("span", String(c.unread), "new")
      : c.room === undefined ? undefined : element("span", String(c.present.size + c.more), "count");
    const item = entry(c.key, c.room === undefined ? `@${c.name}` : c.name, count, () => show(c));
    if (c === conversations.shown) item.firstChild.setAttribute("aria-current", "true");
    const leave = element("button", "×", "leave");
    leave.type = "button";
    leave.dataset.key = `leave ${c.key}`;
    leave.setAttribute("aria-label", `Leave ${c.name}`);
    leave.addEventListener("click", () => leave_one(c));
    item.append(leave);
    return item;
  });
  by_id("open").replaceChildren(...open);
  const mine = new Set(conversations.rooms().map((c) => c.name));
  by_id("others").replaceChildren(...other_rooms.filter(([name]) => !mine.has(name)).map(([name, count]) =>
    entry(`other ${name}`, name, element("span", String(count), "count"), () => join(name))));
  by_id("me").textContent = me.name ? `You are ${me.name}.` : "";
  const unread = conversations.unread();
  by_id("unread").textContent = unread ? String(unread) : "";
  const shown = conversations.shown;
  by_id("title").textContent = !shown ? "Chat" : shown.room === undefined ? `@${shown.name}` : shown.name;
  document.title = `${unread ? `(${unread}) ` : ""}${shown ? shown.name : "Chat"}`;
  by_id("say").placeholder = !shown ? "" : shown.room === undefined ? `To ${shown.name} alone` : `To all in ${shown.name}`;
}

function draw_people() {
  const shown = conversations.shown;
  const room = shown?.room !== undefined ? shown : undefined;
  const names = room ? [...room.present].sort((a, b) => a.localeCompare(b)) : [];
  by_id("people-title").textContent = room ? `${names.length + room.more} here` : "Private";
  by_id("present").replaceChildren(...names.map((name) =>
    entry(`person ${name}`, name, name === me.name ? element("span", "you", "count") : undefined,
      () => name !== me.name && show(conversations.get_person(name)))));
  if (room?.more) by_id("present").append(element("li", `and ${room.more} more`));
}

const drawn = { of: undefined, until: 0 };

function draw_log() {
  const log = by_id("log");
  const c = conversations.shown;
  const at_end = log.scrollHeight - log.scrollTop - log.clientHeight < 40 || drawn.of !== c;
  if (drawn.of !== c) {
    log.replaceChildren();
    drawn.of = c;
    drawn.until = c ? c.dropped : 0;
  }
  if (!c) return;
  const fresh = c.lines.slice(Math.max(0, drawn.until - c.dropped));
  drawn.until = c.dropped + c.lines.length;
  log.append(...fresh.map(line_of));
  while (log.childElementCount > c.lines.length) log.firstChild.remove();
  if (at_end) log.scrollTop = log.scrollHeight;
}

function line_of({ at, who, text, kind }) {
  const line = element("p", undefined, kind);
  const time = element("time", at.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" }));
  time.dateTime = at.toISOString();
  line.append(time);
  if (who !== undefined) line.append(element("b", who), " ");
  line.append(text);
  return line;
}

// -- what happens in a conversation --------------------------------------------------------------

function add(c, line, counts) {
  c.add(line);
  if (c === conversations.shown) return redraw("log");
  if (counts) {
    ++c.unread;
    redraw("lists");
  }
}

function notice(c, text, kind = "notice") { add(c, { text, kind }, false); }

function tell_error(text) {
  if (conversations.shown) notice(conversations.shown, text, "error");
  else by_id("refused").textContent = text;
}

function show(c) {
  conversations.shown = c;
  if (c) c.unread = 0;
  panel(undefined);
  redraw("lists", "people", "log");
  by_id("say").focus();
}

function join(name) { if (name.trim()) connection.send({ do: "join", room: name }) || tell_error("There is no connection."); }

function leave_one(c) {
  if (c.room !== undefined) {
    connection.send({ do: "leave", room: c.room });
  } else {
    conversations.remove(c);
    show(conversations.shown);
  }
}

function rename(name) {
  name = (name ?? prompt("Which name?", me.name))?.trim();
  if (name) connection.send({ do: "name", name });
}

const help = "Enter sends, Shift+Enter begins a line. Alt+↑ and Alt+↓ go to the next conversation. "
  + "/join ROOM, /leave, /msg NAME TEXT, /nick NAME, /who, /help; // says what begins with a slash.";

function command(text) {
  const [verb, ...rest] = text.slice(1).split(" ");
  const words = rest.join(" ").trim();
  const shown = conversations.shown;
  if (verb === "join") join(words);
  else if (verb === "leave") shown && leave_one(shown);
  else if (verb === "nick") rename(words);
  else if (verb === "who") shown && notice(shown, shown.room === undefined ? shown.name : [...shown.present].sort().join(", "));
  else if (verb === "msg") {
    const to = words.split(" ")[0];
    const what = words.slice(to.length).trim();
    if (!what) return tell_error("Whom, and what? /msg NAME TEXT");
    return connection.send({ do: "tell", to, text: what });
  } else if (verb === "help") shown && notice(shown, help);
  else tell_error(`There is no command /${verb}; /help lists them.`);
  return true;
}

// Returns whether the text may go from the field.
function say(text) {
  if (!text.trim()) return true;
  if (text.startsWith("/") && !text.startsWith("//")) return command(text) !== false;
  if (text.startsWith("//")) text = text.slice(1);
  const c = conversations.shown;
  if (!c) return false;
  if (c.room !== undefined) return connection.send({ do: "say", room: c.room, text });
  return text.split("\n").filter((line) => line.trim()).every((line) => connection.send({ do: "tell", to: c.name, text: line }));
}

// -- what the chat tells -------------------------------------------------------------------------

const told = {
  welcome({ name }) {
    const back = !me.welcome;
    if (!back && name !== me.name && conversations.shown) notice(conversations.shown, `You are ${name} now.`);
    me.name = name;
    me.welcome = true;
    me.tries = 0;
    by_id("login").hidden = true;
    by_id("chat").hidden = false;
    by_id("state").hidden = true;
    by_id("refused").textContent = "";
    if (back) for (const room of me.rooms.length ? me.rooms : ["lobby"]) connection.send({ do: "join", room });
    remember();
    redraw("lists", "people");
  },
  refused({ why, text }) {
    if (me.welcome) return tell_error(text);
    // Behind a lost connection the chat may think for a moment that we are still there.
    if (why === "taken" && me.tries > 0 && me.tries < 5) {
      state("Your name is still taken; trying again …");
      return setTimeout(log_in, 1000 * me.tries++);
    }
    ask_for_name(text);
  },
  room({ room, name, here, more, you }) {
    const known = conversations.room(room);
    const c = conversations.get_room(room, name);
    c.present = new Set(here).add(you);
    c.more = Math.max(0, more);
    if (!known) notice(c, `You are in ${name}.`);
    else if (c.lost) notice(c, "You are back.");
    c.lost = false;
    remember();
    if (!conversations.shown || (!known && joined)) show(c);
    redraw("lists", "people");
  },
  parted({ room }) {
    const c = conversations.room(room);
    if (!c) return;
    conversations.remove(c);
    remember();
    show(conversations.shown);
  },
  came({ room, who }) {
    const c = conversations.room(room);
    if (!c || c.present.has(who)) return;
    c.present.add(who);
    if (c.present.size <= 50) notice(c, `${who} has come.`);
    redraw("lists", "people");
  },
  left({ room, who }) {
    const c = conversations.room(room);
    if (!c || !c.present.delete(who)) return;
    if (c.present.size <= 50) notice(c, `${who} has left.`);
    redraw("lists", "people");
  },
  renamed({ room, from, to }) {
    const c = conversations.room(room);
    if (!c) return;
    c.present.delete(from);
    c.present.add(to);
    if (to !== me.name) notice(c, `${from} is called ${to} now.`);
    redraw("lists", "people");
  },
  said({ room, lines }) {
    const c = conversations.room(room);
    if (!c) return;
    for (const [who, text] of lines)
      if (who === "") add(c, { text: `* ${text}`, kind: "action" }, true);
      else add(c, { who, text, kind: who === me.name ? "own" : "said" }, true);
  },
  told({ from, text }) {
    add(conversations.get_person(from), { who: from, text, kind: "said" }, true);
    redraw("lists");
  },
  sent({ to, text }) {
    const c = conversations.get_person(to);
    add(c, { who: me.name, text, kind: "own" }, false);
    redraw("lists");
  },
  rooms({ rooms }) {
    other_rooms = rooms;
    redraw("lists");
  },
  error({ text }) { tell_error(text); },
};
let joined = false; // the first rooms are those of before; of others the newest is shown

// -- coming and going ----------------------------------------------------------------------------

function state(text, retry = false) {
  by_id("state-text").textContent = text;
  by_id("retry").hidden = !retry;
  by_id("state").hidden = false;
}

function ask_for_name(why = "") {
  by_id("state").hidden = true;
  by_id("chat").hidden = true;
  by_id("login").hidden = false;
  by_id("refused").textContent = why;
  by_id("name").value ||= me.name;
  by_id("name").focus();
  by_id("name").select();
}

function log_in() { connection.send({ do: "name", name: me.name }); }

const connection = new Connection({
  told: (message) => told[message.is]?.(message),
  opened() {
    if (!me.name) return ask_for_name();
    me.tries = 1;
    state("Coming back …");
    log_in();
  },
  lost(seconds) {
    if (me.welcome) {
      me.welcome = false;
      for (const c of conversations.rooms()) {
        c.lost = true;
        notice(c, "The connection is lost.", "error");
      }
    }
    if (seconds > 0) state(`No connection. Trying again in ${Math.ceil(seconds)} s …`, true);
    else state("Connecting …");
  },
});

by_id("retry").addEventListener("click", () => connection.try_now());

by_id("login-form").addEventListener("submit", (event) => {
  event.preventDefault();
  me.name = by_id("name").value.trim();
  me.tries = 0;
  if (me.name && !connection.send({ do: "name", name: me.name })) by_id("refused").textContent = "There is no connection yet.";
});

by_id("join-form").addEventListener("submit", (event) => {
  event.preventDefault();
  joined = true;
  join(by_id("join").value);
  by_id("join").value = "";
});

by_id("say-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const field = by_id("say");
  joined = true;
  if (say(field.value)) field.value = "";
  else tell_error("That was not sent: there is no connection.");
  fit();
  field.focus();
});

// The field is as high as what is typed.
function fit() {
  const field = by_id("say");
  field.style.height = "auto";
  field.style.height = `${field.scrollHeight + 2}px`;
}
by_id("say").addEventListener("input", fit);
by_id("say").addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  by_id("say-form").requestSubmit();
});

by_id("others").addEventListener("click", () => { joined = true; }, true);
by_id("rename").addEventListener("click", () => rename());

// On a narrow page the lists lie above the messages, one at a time.
function panel(id) {
  for (const [list, button] of [["rooms", "show-rooms"], ["people", "show-people"]]) {
    const on = list === id && !by_id(list).classList.contains("shown");
    by_id(list).classList.toggle("shown", on);
    by_id(button).setAttribute("aria-expanded", String(on));
    if (on) by_id(list).querySelector("button, input")?.focus();
  }
}
by_id("show-rooms").addEventListener("click", () => panel("rooms"));
by_id("show-people").addEventListener("click", () => panel("people"));

addEventListener("keydown", (event) => {
  if (event.key === "Escape") {
    panel(undefined);
    if (me.welcome) by_id("say").focus();
  } else if (event.altKey && (event.key === "ArrowDown" || event.key === "ArrowUp") && conversations.shown) {
    event.preventDefault();
    show(conversations.beside(event.key === "ArrowDown" ? 1 : -1));
  }
});
