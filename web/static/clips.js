// Clips: each a card with its progress, its first seconds as soon as they are colored, and then all of it.

import * as api from "./api.js";
import { follow } from "./files.js";
import { note, noting, speak } from "./say.js";
import { look } from "./settings.js";

const list = document.getElementById("clips");
// Milliseconds until the server is asked again how far a clip is: after an answer, and where none came.
const ASKED_EVERY = 500;
const ASKED_AGAIN = 2000;

export class Clips {
  #cards = new Map();

  /** @param onChange called when the number of clips has changed. */
  constructor(onChange) {
    this.onChange = onChange;
  }

  get number() {
    return this.#cards.size;
  }

  get hasUnsaved() {
    return [...this.#cards.values()].some((card) => card.isUnsaved);
  }

  async add(clip) {
    const card = new Card(clip, () => this.#remove(clip));
    this.#cards.set(clip, card);
    list.append(card.element);
    this.onChange();
    await card.color();
  }

  /** Forget all; the server was told. */
  clear() {
    for (const card of this.#cards.values()) card.close();
    this.#cards.clear();
    this.onChange();
  }

  async #remove(clip) {
    this.#cards.get(clip).close();
    this.#cards.delete(clip);
    this.onChange();
    await noting(() => api.deleteClip(clip));
  }
}

class Card {
  #timer = 0;
  #shown = null;

  constructor(clip, onRemove) {
    this.clip = clip;
    this.element = document.getElementById("clip").content.firstElementChild.cloneNode(true);
    const part = (name) => this.element.querySelector(`[name=${name}]`);
    [this.video, this.bar, this.line] = ["video", "progress", "output"].map((tag) => this.element.querySelector(tag));
    this.element.querySelector("h3").textContent = clip.name;
    this.video.ariaLabel = `${clip.name}, colored`;
    this.bar.ariaLabel = `How much of ${clip.name} is colored`;
    [this.cancel, this.again, this.save] = ["cancel", "again", "save"].map(part);
    this.cancel.addEventListener("click", () => noting(() => api.cancelClip(clip)));
    this.again.addEventListener("click", () => this.color());
    this.save.addEventListener("click", () => this.#save());
    part("remove").ariaLabel = `Remove ${clip.name}`;
    part("remove").addEventListener("click", onRemove);
  }

  async color() {
    this.#play(null);
    this.isSaved = false;
    await noting(() => api.colorClip(this.clip, look()));
    this.#watch();
  }

  /** Whether its colours would be lost with the page. */
  get isUnsaved() {
    return ["waiting", "coloring", "done"].includes(this.element.dataset.state) && !this.isSaved;
  }

  close() {
    this.clip.life.abort();
    clearTimeout(this.#timer);
    this.#timer = null;
    this.#play(null);
    this.element.remove();
  }

  async #save() {
    await this.#ask(); // the server may have it no more
    if (this.save.hidden) return;
    follow(api.clipAddress(this.clip, "/download"));
    this.isSaved = true;
  }

  async #watch() {
    const wait = await this.#ask();
    if (this.#timer === null) return;
    if (wait) this.#timer = setTimeout(() => this.#watch(), wait);
    else speak(`${this.clip.name}: ${this.line.value}`);
  }

  /** Show how far the clip is; the time until that is to be asked again, 0: nothing more will come. */
  async #ask() {
    try {
      const found = await api.clipProgress(this.clip);
      if (this.#timer !== null) this.#draw(found);
      return isUnderWay(found) ? ASKED_EVERY : 0;
    } catch (error) {
      this.line.value = error.message;
      if (error.status !== 404) return ASKED_AGAIN;
      this.bar.hidden = this.cancel.hidden = this.save.hidden = true;
      this.again.hidden = false;
      return 0;
    }
  }

  #draw(found) {
    this.element.dataset.state = found.state;
    this.line.value = inWords(found, this.clip);
    this.bar.max = found.total || 1;
    this.bar.value = found.done;
    this.bar.hidden = this.cancel.hidden = !isUnderWay(found);
    this.again.hidden = isUnderWay(found);
    this.save.hidden = found.state !== "done";
    for (const line of found.notes ?? []) note(`${this.clip.name}: ${line}`);
    if (found.state === "done") this.#play("/full");
    else if (found.preview) this.#play("/preview");
  }

  #play(what) {
    if (what === this.#shown) return;
    this.#shown = what;
    this.video.hidden = !what;
    if (what) this.video.src = api.clipAddress(this.clip, `${what}?${Date.now()}`);
    else this.video.removeAttribute("src");
  }
}

const isUnderWay = ({ state }) => state === "waiting" || state === "coloring";

function inWords({ state, done, total, preview, error }, clip) {
  if (state === "waiting") return "Waiting for its turn";
  if (state === "coloring" && !done) return "Looking at the clip"; // for colours of its own, before the first frame
  if (state === "coloring") return `${done} of ${total} frames${preview ? "; below, the first seconds" : ""}`;
  if (state === "done") return `Colored: ${clip.frames} frames`;
  if (state === "failed") return error;
  if (state === "cancelled") return "Cancelled; Color again goes on";
  return "Not colored";
}
