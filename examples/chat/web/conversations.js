// What the page knows: the rooms it is in with who is there, private conversations, and what was said.

const most_lines = 500; // of each

/// A room, or a conversation with one person.
export class Conversation {
  constructor(key, name, room) {
    this.key = key;
    this.name = name;
    this.room = room;         // what the chat calls it; undefined if it is private
    this.present = new Set(); // names
    this.more = 0;            // that are there and not named
    this.lines = [];          // {at, who, text, kind}
    this.unread = 0;
    this.dropped = 0;         // lines that were left out at the front
  }

  add(line) {
    line.at = new Date();
    this.lines.push(line);
    if (this.lines.length > most_lines) {
      this.lines.shift();
      ++this.dropped;
    }
  }
}

export class Conversations {
  constructor() {
    this.all = new Map();
    this.shown = undefined;
  }

  room(look) { return this.all.get(`room ${look}`); }

  get_room(look, name) {
    return this.get(`room ${look}`, name, look);
  }

  /// People are found by their names whatever the case of the letters.
  get_person(name) {
    return this.get(`person ${name.normalize("NFKC").toLowerCase()}`, name);
  }

  get(key, name, room) {
    let found = this.all.get(key);
    if (!found) this.all.set(key, found = new Conversation(key, name, room));
    return found;
  }

  remove(one) {
    this.all.delete(one.key);
    if (this.shown === one) this.shown = this.all.values().next().value;
  }

  rooms() { return [...this.all.values()].filter((c) => c.room !== undefined); }

  unread() { return [...this.all.values()].reduce((sum, c) => sum + c.unread, 0); }

  /// Returns the one that is `step` further in the list.
  beside(step) {
    const all = [...this.all.values()];
    return all[(all.indexOf(this.shown) + step + all.length) % all.length];
  }
}
