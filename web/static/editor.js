// The tools that draw on the photo: dot, brush, eraser, region.

import { draw } from "./drawing.js";
import { between, recolor, without } from "./marks.js";
import { follow } from "./pointer.js";

const tenth = (value) => Math.floor(value * 10) / 10;

export class Editor {
  tool = "dot";
  color = "#b5523b";
  size = 12;
  showsMarks = true;
  region = null;
  #cross = undefined;
  #last = null; // where the pointer was

  /**
   * @param canvas over the photo.
   * @param listener `changed()` when a mark is done, `spot(place)` where somebody starts one, `regionChosen()`.
   */
  constructor(canvas, listener) {
    this.canvas = canvas;
    this.listener = listener;
    follow(canvas, () => this.photo, this);
    new ResizeObserver(() => this.redraw()).observe(canvas);
  }

  open(photo) {
    this.photo = photo;
    this.selected = null;
    this.chooseRegion(null);
  }

  choose(tool) {
    this.tool = tool;
    this.selected = null;
    this.chooseRegion(null);
  }

  get history() {
    return this.photo.history;
  }

  /** In pixels of the photo; the slider is in those of a picture of 1000. */
  get radius() {
    return tenth((this.size / 2) * (Math.max(this.photo.width, this.photo.height) / 1000));
  }

  press(place) {
    this.#last = place;
    if (this.tool === "dot" || this.tool === "brush") {
      this.listener.spot(place);
      this.history.set([...this.history.marks, { kind: this.tool, points: [this.#point(place)] }]);
      this.selected = this.history.marks.at(-1);
    } else if (this.tool === "eraser") {
      this.isErasing = false;
      this.#erase(place);
    } else {
      this.#start = place;
      this.region = null;
    }
    this.redraw();
  }

  drag(place) {
    if (this.tool === "dot") this.#grow([this.#point(place)]);
    const way = between(this.#last, place, this.radius); // a quick pointer is reported only here and there
    if (this.tool === "brush") this.#grow([...this.selected.points, ...way.map((p) => this.#point(p))]);
    if (this.tool === "eraser") for (const passed of way) this.#erase(passed);
    if (this.tool === "region") this.region = boxOf(this.#start, place);
    this.#last = place;
    this.redraw();
  }

  release() {
    if (this.tool === "region") this.chooseRegion(this.region);
    else if (this.tool !== "eraser" || this.isErasing) this.listener.changed();
  }

  hover(cross) {
    this.#cross = cross;
    this.redraw();
  }

  chooseRegion(box) {
    this.region = box;
    this.listener.regionChosen();
    this.redraw();
  }

  /** Take another colour, also for the mark that was drawn last. */
  paint(color) {
    this.color = color;
    const { marks } = this.history;
    const at = marks.indexOf(this.selected);
    if (at < 0) return;
    this.selected = recolor(this.selected, color);
    this.#replace(marks.with(at, this.selected));
  }

  /** A step that is done at once. */
  #replace(marks) {
    this.history.set(marks);
    this.redraw();
    this.listener.changed();
  }

  replace(marks) {
    this.selected = null;
    this.#replace(marks);
  }

  redraw() {
    if (!this.photo || !this.canvas.clientWidth) return;
    draw(this.canvas, this.photo, {
      marks: this.showsMarks ? this.history.marks : [],
      region: this.region,
      cross: this.#cross,
      selected: this.selected,
    });
  }

  #start = null;

  #point({ x, y }) {
    return { x: tenth(x), y: tenth(y), color: this.color, radius: this.radius };
  }

  #grow(points) {
    this.selected = { ...this.selected, points };
    this.history.amend(this.history.marks.with(-1, this.selected));
  }

  #erase(place) {
    const reach = this.radius;
    const isTouched = (p) => Math.hypot(p.x - place.x, p.y - place.y) <= reach + p.radius;
    const marks = without(this.history.marks, isTouched);
    if (marks.every((mark, i) => mark === this.history.marks[i]) && marks.length === this.history.marks.length) return;
    if (this.isErasing) this.history.amend(marks);
    else this.history.set(marks);
    this.isErasing = true;
  }
}

function boxOf(a, b) {
  return {
    left: Math.min(a.x, b.x),
    right: Math.max(a.x, b.x),
    top: Math.min(a.y, b.y),
    bottom: Math.max(a.y, b.y),
  };
}
