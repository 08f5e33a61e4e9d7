// The page of the observer: asks for the stream of events, and shows what it tells. All text goes into the page as
// text: names and addresses may be strangers'.

import { Plot } from "./plot.js";

const by_id = (id) => document.getElementById(id);
const tabs = ["loops", "actors", "connections", "topics", "supervisors"];
const first_order = { actors: "mailbox", connections: "unsent", topics: "subscribers" };

const shown = {
  tab: "loops",
  order: {},                          // of each table: {by, down}
  loops: { by: "loop", down: false }, // which are sorted here: all of them are told
  stream: null,
  before: null,                       // the sample before this one
  last: null,
};

function element(name, text, kind) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (kind) made.className = kind;
  return made;
}

// -- how numbers are written --------------------------------------------------------------------

const grouped = new Intl.NumberFormat("en");

function bytes(n) {
  if (n < 1024) return `${Math.round(n)} B`;
  const units = ["KiB", "MiB", "GiB", "TiB"];
  let i = -1;
  do { n /= 1024; ++i; } while (n >= 1024 && i + 1 < units.length);
  return `${n.toFixed(n < 10 ? 1 : 0)} ${units[i]}`;
}

function time(s) {
  if (s >= 1) return `${s.toFixed(1)} s`;
  return s >= 0.001 ? `${(s * 1e3).toFixed(1)} ms` : `${Math.round(s * 1e6)} µs`;
}

const percent = (x) => `${(100 * x).toFixed(x < 0.1 ? 1 : 0)} %`;
const count = (n) => grouped.format(Math.round(n));
const rate = (n) => `${count(n)}/s`;
const formats = {
  received: bytes, written: bytes, unsent: bytes, sent: bytes, memory: bytes, longest_turn: time, longest_wait: time, time,
  busy: percent,
  "turns/s": rate, "in/s": (n) => `${bytes(n)}/s`, "out/s": (n) => `${bytes(n)}/s`,
  id: String, loop: String,
};

// -- tables -------------------------------------------------------------------------------------

// Shows a table; `sort`, if given, is called with the name of a column that was clicked.
function table({ columns, rows, by, down }, sort) {
  const outer = element("div", undefined, "scroll");
  const made = element("table");
  const head = made.createTHead().insertRow();
  columns.forEach((name, i) => {
    const cell = element("th");
    cell.scope = "col";
    if (rows.length && typeof rows[0][i] === "number") cell.className = "number";
    if (name === by) cell.setAttribute("aria-sort", down ? "descending" : "ascending");
    const label = name.replaceAll("_", " ");
    if (sort) {
      const button = element("button", label);
      button.type = "button";
      button.dataset.column = name;
      button.addEventListener("click", () => sort(name));
      cell.append(button);
    } else {
      cell.textContent = label;
    }
    head.append(cell);
  });
  const body = made.createTBody();
  for (const row of rows) {
    const line = body.insertRow();
    row.forEach((value, i) => {
      const cell = line.insertCell();
      if (typeof value === "number") {
        cell.className = "number";
        cell.textContent = (formats[columns[i]] ?? count)(value);
      } else {
        cell.className = "text";
        cell.textContent = cell.title = value;
      }
    });
  }
  outer.append(made);
  return outer;
}

function note_of({ all, rows, omitted }) {
  const parts = [`${count(all)} in all`];
  if (rows.length < all) parts.push(`the first ${count(rows.length)} are shown`);
  if (omitted) parts.push(`${count(omitted)} more are not looked at`);
  return element("p", parts.join("; "), "note");
}

// Changes how the present table is sorted: by another column, or the other way round.
function resort(name) {
  const order = shown.order[shown.tab];
  const numbers = typeof shown.last?.table?.rows[0]?.[shown.last.table.columns.indexOf(name)] === "number";
  shown.order[shown.tab] = { by: name, down: order.by === name ? !order.down : numbers };
  connect();
}

// Puts what was made in the place of what was shown; the focus stays at the button of the same column.
function replace(...made) {
  const column = document.activeElement?.dataset?.column;
  const scrolled = [...by_id("shown").querySelectorAll(".scroll")].map((s) => s.scrollLeft);
  by_id("shown").replaceChildren(...made);
  by_id("shown").querySelectorAll(".scroll").forEach((s, i) => { s.scrollLeft = scrolled[i] ?? 0; });
  if (column)
    [...by_id("shown").querySelectorAll("button")].find((b) => b.dataset.column === column)?.focus();
}

function rates_of(sample, before) {
  const dt = before ? sample.at - before.at : 0;
  return sample.loops.map((l) => {
    const was = before?.loops.find((b) => b.loop === l.loop);
    const per_second = (what) => (was && dt > 0 ? Math.max(0, l[what] - was[what]) / dt : 0);
    return {
      loop: l.loop, busy: per_second("busy"), "turns/s": per_second("turns"), longest_turn: l.longest,
      long_turns: l.long_turns, actors: l.actors, timers: l.timers, "in/s": per_second("received"),
      "out/s": per_second("sent"), stolen: l.stolen, dead_letters: l.dead_letters,
    };
  });
}

function show_loops(rates) {
  const columns = Object.keys(rates[0] ?? { loop: 0 });
  const { by, down } = shown.loops;
  const rows = rates.sort((a, b) => (down ? b[by] - a[by] : a[by] - b[by]))
    .map((r) => columns.map((c) => r[c]));
  replace(table({ columns, rows, by, down }, (name) => {
    shown.loops = { by: name, down: by === name ? !down : true };
    show(shown.last);
  }));
}

function branch(child) {
  const item = element("li");
  item.append(element("b", child.name || "(no name)"), " ", element("span", child.state, child.state), " ",
    element("span", child.supervisor ? `supervisor, ${child.how}` : child.how, "note"));
  if (child.actor) item.append(element("span", `, actor ${child.actor}`, "note"));
  if (child.restarts)
    item.append(", ", element("span", `${count(child.restarts)} restart${child.restarts > 1 ? "s" : ""}`, "restarts"));
  if (child.children.length) {
    const below = element("ul", undefined, "tree");
    below.append(...child.children.map(branch));
    if (child.more) below.append(element("li", `${count(child.more)} more`, "note"));
    item.append(below);
  }
  return item;
}

// -- what a sample says -------------------------------------------------------------------------

const plots = {
  busy: new Plot(by_id("plots"), "busiest loop", percent, 0.05),
  turns: new Plot(by_id("plots"), "turns", rate),
  received: new Plot(by_id("plots"), "received", (n) => `${bytes(n)}/s`),
  sent: new Plot(by_id("plots"), "sent", (n) => `${bytes(n)}/s`),
  actors: new Plot(by_id("plots"), "actors on loops", count),
  memory: new Plot(by_id("plots"), "memory", bytes),
};

function plot(sample, rates) {
  const sum = (what) => rates.reduce((all, r) => all + r[what], 0);
  plots.busy.add(Math.max(0, ...rates.map((r) => r.busy)));
  plots.turns.add(sum("turns/s"));
  plots.received.add(sum("in/s"));
  plots.sent.add(sum("out/s"));
  plots.actors.add(sum("actors"));
  plots.memory.add(sample.memory);
}

function show(sample) {
  by_id("name").textContent = document.title = `${sample.name}, observed`;
  const t = sample.threads;
  by_id("facts").textContent = `process ${sample.process} · ${sample.loops.length} loops · `
    + `${count(sample.actors)} actors that are not hidden · threads: ${t.all - t.idle} of ${t.all} at work, `
    + `${count(t.queued)} calls wait`;
  by_id("silent").hidden = sample.silent.length === 0;
  by_id("silent").textContent = `No answer from loop ${sample.silent.join(", ")}: something blocks it.`;
  if (sample.shows !== shown.tab) return;
  if (shown.tab === "loops") return show_loops(rates_of(sample, shown.before));
  if (shown.tab === "supervisors") {
    const all = element("ul", undefined, "tree");
    all.append(...sample.trees.map(branch));
    if (sample.omitted) all.append(element("li", `${count(sample.omitted)} more are not looked at`, "note"));
    return replace(sample.trees.length ? all : element("p", "There are no supervisors.", "note"));
  }
  const made = [];
  if (sample.kinds) made.push(table(sample.kinds));
  if (sample.handlers) made.push(table(sample.handlers));
  made.push(note_of(sample.table), table(sample.table, resort));
  replace(...made);
}

function told(sample) {
  if (shown.last && sample.process !== shown.last.process) shown.last = null; // another one, whose counters begin anew
  shown.before = shown.last;
  shown.last = sample;
  if (shown.before) plot(sample, rates_of(sample, shown.before));
  show(sample);
}

// -- the stream ---------------------------------------------------------------------------------

function state(text, kind) {
  by_id("state").textContent = text;
  by_id("state").className = kind;
}

function connect() {
  shown.stream?.close();
  const token = location.hash.slice(1);
  if (!token) return state("The address lacks the token: open it as the program printed it.", "lost");
  const order = shown.order[shown.tab] ?? { by: "", down: true };
  const query = new URLSearchParams({ token, show: shown.tab, by: order.by, down: order.down ? "yes" : "no" });
  const stream = shown.stream = new EventSource(`events?${query}`);
  stream.onopen = () => state("live", "live");
  stream.onmessage = (event) => told(JSON.parse(event.data));
  stream.onerror = async () => {
    if (stream !== shown.stream) return;
    if (stream.readyState !== EventSource.CLOSED) return state("connection lost; trying again …", "lost");
    // It gives up after a refusal, whose reason only another request tells.
    stream.close();
    let why = "The process does not answer; trying again …";
    let again = true;
    try {
      const abort = new AbortController();
      const answer = await fetch(`events?${query}`, { signal: abort.signal });
      if (answer.ok) why = "connection lost; trying again …";
      else why = await answer.text();
      again = answer.status !== 403;
      abort.abort();
    } catch { /* it is not there */ }
    if (stream !== shown.stream) return;
    state(why, "lost");
    if (again) setTimeout(() => stream === shown.stream && connect(), 2000);
  };
}

function choose(tab) {
  shown.tab = tab;
  if (first_order[tab]) shown.order[tab] ??= { by: first_order[tab], down: true };
  for (const button of by_id("tabs").children)
    button.setAttribute("aria-pressed", button.dataset.tab === tab ? "true" : "false");
  replace(element("p", "…", "note"));
  connect();
}

for (const tab of tabs) {
  const button = element("button", tab[0].toUpperCase() + tab.slice(1));
  button.type = "button";
  button.dataset.tab = tab;
  button.addEventListener("click", () => choose(tab));
  by_id("tabs").append(button);
}
addEventListener("hashchange", connect);
choose("loops");
