// A line of the last values, as an image.

const svg = "http://www.w3.org/2000/svg";
const most = 120;

export class Plot {
  /// `text` makes of a value what stands above the line; `top`, if given, is the least height of the picture.
  constructor(parent, title, text, top = 0) {
    this.text = text;
    this.top = top;
    this.values = [];
    const figure = document.createElement("figure");
    const caption = document.createElement("figcaption");
    const name = document.createElement("span");
    name.textContent = title;
    this.now = document.createElement("b");
    caption.append(name, this.now);
    const picture = document.createElementNS(svg, "svg");
    picture.setAttribute("viewBox", `0 0 ${most - 1} 40`);
    picture.setAttribute("preserveAspectRatio", "none");
    picture.setAttribute("aria-hidden", "true");
    this.line = document.createElementNS(svg, "polyline");
    picture.append(this.line);
    figure.append(caption, picture);
    parent.append(figure);
  }

  add(value) {
    this.values.push(value);
    if (this.values.length > most) this.values.shift();
    this.now.textContent = this.text(value);
    const height = Math.max(this.top, ...this.values) || 1;
    const first = most - this.values.length;
    this.line.setAttribute("points",
      this.values.map((v, i) => `${first + i},${(39 - 38 * v / height).toFixed(1)}`).join(" "));
  }
}
