// Files on their way to the server: a line that says so, and a button that stops them.

import { noting, speak } from "./say.js";

const box = document.getElementById("sending");
const [line, cancel] = box.querySelectorAll("span, button");

export class Sending {
  #lines = []; // of the batches under way, the latest last
  #controller = new AbortController();

  constructor() {
    cancel.addEventListener("click", () => this.cancel());
  }

  get isUnderWay() {
    return this.#lines.length > 0;
  }

  /** Aborted by `cancel`; later files have another. */
  get signal() {
    return this.#controller.signal;
  }

  cancel() {
    this.#controller.abort();
    this.#controller = new AbortController();
  }

  /** Show a line while `work` sends a file; resolves to what the server says of it, undefined: it refuses it. */
  async show(text, work) {
    const entry = { text };
    this.#draw([...this.#lines, entry]);
    speak(text);
    const taken = await noting(work);
    this.#draw(this.#lines.filter((other) => other !== entry));
    return taken;
  }

  #draw(lines) {
    this.#lines = lines;
    box.hidden = !this.isUnderWay;
    line.textContent = lines.at(-1)?.text ?? "";
  }
}
