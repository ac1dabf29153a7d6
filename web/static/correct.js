// The panel of corrections: tools, colours, regions, the way back, a reference, hints as files.

import * as api from "./api.js";
import { Editor } from "./editor.js";
import { isInside, markOfPicture, markOfPoints, pictureOf, pointsOf, withLoaded, without } from "./marks.js";
import { difference, pngOf, Sampler } from "./pixels.js";
import { clearNotes, noting, speak } from "./say.js";
import { alternatives } from "./settings.js";
import { saveAs } from "./files.js";

const element = (id) => document.getElementById(id);
const HELP = {
  dot: "Click where a colour belongs; the area around it takes it on. The colour can be changed afterwards.",
  brush: "Paint over what has one colour.",
  eraser: "Wipe over hints to take them away.",
  region: "Drag a box, then keep what it shows or ask for other colours.",
};
// Colours of a box that differ less than this on average, of 255, look the same.
const SAME = 6;

export class Correction {
  /** @param onChange called with a photo whose hints or reference changed; its promise: the colours are shown. */
  constructor(onChange) {
    this.onChange = onChange;
    this.editor = new Editor(element("canvas"), this);
    this.#connectTools();
    this.#connectSteps();
    this.#connectFiles();
  }

  open(photo) {
    this.attempt = 0;
    this.spotted = null;
    this.editor.open(photo);
    this.#suggest([]);
    this.#showReference();
    this.#enable();
  }

  /** Shown over the photo, or not. */
  setVisible(isVisible) {
    element("correct").hidden = !isVisible;
    this.editor.redraw();
  }

  /** Show what the marks do, and only then look for likely colours of the one just begun, which would slow it. */
  async changed() {
    const { spotted } = this;
    this.#enable();
    await this.onChange(this.editor.photo);
    if (!spotted || spotted !== this.spotted) return;
    this.spotted = null;
    const { photo, place } = spotted;
    const colors = await noting(() => api.likely(photo, place.x, place.y));
    if (photo === this.editor.photo) this.#suggest(colors ?? []);
  }

  spot(place) {
    this.spotted = { photo: this.editor.photo, place };
    speak(`${this.editor.tool} at ${Math.round(place.x)}, ${Math.round(place.y)}`);
  }

  regionChosen() {
    this.attempt = 0;
    for (const id of ["lock", "redo-region", "clear-region"]) element(id).disabled = !this.editor.region;
  }

  #connectTools() {
    const choose = () => {
      const tool = document.querySelector("[name=tool]:checked").value;
      this.editor.choose(tool);
      element("help").textContent = HELP[tool];
      element("paint").hidden = tool === "region";
      element("region-actions").hidden = tool !== "region";
    };
    element("tools").addEventListener("change", choose);
    element("help").textContent = HELP.dot;
    element("picker").addEventListener("change", () => this.#paint(element("picker").value));
    element("size").addEventListener("input", () => (this.editor.size = Number(element("size").value)));
    element("marks").addEventListener("change", () => {
      this.editor.showsMarks = element("marks").checked;
      this.editor.redraw();
    });
    element("lock").addEventListener("click", () => this.#lock());
    element("redo-region").addEventListener("click", () => noting(() => this.#redoRegion()));
    element("clear-region").addEventListener("click", () => this.editor.replace(this.#outside()));
  }

  #connectSteps() {
    const step = (name) => {
      this.editor.history[name]();
      this.editor.selected = null;
      this.editor.redraw();
      this.changed();
    };
    element("undo").addEventListener("click", () => step("undo"));
    element("redo").addEventListener("click", () => step("redo"));
    element("remove").addEventListener("click", () => this.editor.replace([]));
    document.addEventListener("keydown", (event) => {
      if (!(event.ctrlKey || event.metaKey) || element("correct").hidden) return;
      const key = event.key.toLowerCase();
      const name = key === "y" || (key === "z" && event.shiftKey) ? "redo" : key === "z" ? "undo" : null;
      if (!name) return;
      event.preventDefault();
      if (!element(name).disabled) step(name);
    });
  }

  #connectFiles() {
    const base = () => this.editor.photo.name.replace(/\.[^.]*$/, "");
    const points = () => pointsOf(this.editor.history.marks);
    element("save-points").addEventListener("click", () =>
      saveAs(new Blob([JSON.stringify(points(), null, 1)]), `${base()}_hints.json`),
    );
    element("save-strokes").addEventListener("click", async () => {
      const { photo, history } = this.editor;
      saveAs(await pngOf(photo, points(), pictureOf(history.marks)), `${base()}_hints.png`);
    });
    element("load").addEventListener("change", (event) => noting(() => this.#load(event.target)));
    const [choose, remove] = element("reference").querySelectorAll("input, button");
    choose.addEventListener("change", () => {
      this.setReference(choose.files[0]);
      choose.value = "";
    });
    remove.addEventListener("click", () => this.setReference(null));
  }

  /** Color like another photo, or no more. */
  async setReference(file) {
    const { photo } = this.editor;
    clearNotes();
    await noting(async () => {
      await api.putReference(photo, file);
      photo.reference = file;
      this.#showReference();
      this.onChange(photo);
    });
  }

  async #load(input) {
    const [file] = input.files;
    input.value = "";
    clearNotes();
    const { photo } = this.editor;
    const isPicture = file.name.toLowerCase().endsWith(".png");
    const mark = isPicture ? await markOfPicture(file) : await markOfPoints(file);
    // Asked before it is a step: one that the server refuses would stand in the way of all that follow.
    await (isPicture ? api.putStrokes(photo, file) : api.putPoints(photo, mark.points));
    photo.sent = photo.sentPicture = null;
    if (photo === this.editor.photo) this.editor.replace(withLoaded(photo.history.marks, mark));
  }

  #outside() {
    return without(this.editor.history.marks, isInside(this.editor.region));
  }

  #fix(points) {
    const { region } = this.editor;
    this.editor.replace([...this.#outside(), { kind: "region", box: region, points }]);
  }

  async #lock() {
    const { photo, region } = this.editor;
    const sampler = await Sampler.of(photo.picture, photo);
    this.#fix(sampler.pointsIn(region));
    speak("The colours of the region are kept");
  }

  /** Take the colours of the box from the next model that sees others in it. */
  async #redoRegion() {
    const { photo, region } = this.editor;
    const shown = (await Sampler.of(photo.picture, photo)).pointsIn(region);
    const looks = alternatives();
    for (const _ of looks) {
      const look = looks[this.attempt++ % looks.length];
      const other = await Sampler.of(await api.color(photo, { ...look, plain: true }), photo);
      const points = other.pointsIn(region);
      if (region !== this.editor.region) return;
      if (difference(points, shown) > SAME) {
        this.#fix(points);
        speak(`Colours of ${look.model}`);
        return;
      }
    }
    throw new Error("no model sees other colours there: paint it yourself");
  }

  #paint(color) {
    element("picker").value = color;
    this.editor.paint(color);
    for (const swatch of element("likely").children) swatch.ariaPressed = swatch.value === color;
  }

  #suggest(colors) {
    element("likely").replaceChildren(
      ...colors.map((color) => {
        const swatch = document.createElement("button");
        swatch.type = "button";
        swatch.value = swatch.title = swatch.ariaLabel = color;
        swatch.style.background = color;
        swatch.ariaPressed = color === this.editor.color;
        swatch.addEventListener("click", () => this.#paint(color));
        return swatch;
      }),
    );
  }

  #showReference() {
    const { reference } = this.editor.photo;
    const image = element("reference").querySelector("img");
    URL.revokeObjectURL(image.src);
    if (reference) image.src = URL.createObjectURL(reference);
    image.alt = reference ? `Reference: ${reference.name}` : "";
    image.hidden = element("reference").querySelector("button").hidden = !reference;
  }

  #enable() {
    const { history } = this.editor;
    element("undo").disabled = !history.canUndo;
    element("redo").disabled = !history.canRedo;
    element("remove").disabled = element("save-strokes").disabled = !history.marks.length;
    element("save-points").disabled = !pointsOf(history.marks).length;
  }
}
