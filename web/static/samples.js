// Several drawings of a photo by a model that draws its colours, and the one that somebody chose.

import * as api from "./api.js";
import { redraw } from "./redraw.js";
import { noting, speak } from "./say.js";
import { draws, look } from "./settings.js";

const AT_ONCE = 4;
const element = (id) => document.getElementById(id);

/** How a photo is to be colored: as the settings say, and by the seed that was chosen for the model. */
export function lookAt(photo) {
  const wished = look();
  const seed = photo.seeds?.[wished.model];
  return draws() && seed !== undefined ? { ...wished, seed } : wished;
}

export class Samples {
  /** `onChoose` is called when somebody chooses a drawing, or the best guess. */
  constructor(onChoose) {
    this.onChoose = onChoose;
    element("draw").addEventListener("click", () => noting(() => this.#draw()));
  }

  /** Show what was drawn of a photo by the model of the settings; nothing where it draws nothing. */
  open(photo) {
    this.photo = photo;
    element("samples-field").hidden = !draws();
    if (!draws()) return;
    const chosen = lookAt(photo).seed;
    redraw(element("samples"), [
      this.#button("best guess", undefined, chosen),
      ...this.#drawn().map(({ seed, address }) => this.#button(`drawing ${seed + 1}`, seed, chosen, address)),
    ]);
  }

  /** Let the browser drop the drawings of a photo. */
  release(photo) {
    for (const { address } of Object.values(photo.drawn ?? {}).flat()) URL.revokeObjectURL(address);
  }

  /** Draw some more, one after the other; what is there already is shown. */
  async #draw() {
    const { photo } = this;
    const drawn = this.#drawn();
    const wished = look(); // the settings may change meanwhile
    const button = element("draw");
    button.disabled = true;
    try {
      for (let i = 0; i < AT_ONCE; i++) {
        const seed = drawn.length;
        speak(`Drawing ${seed + 1}`);
        const picture = await api.color(photo, { ...wished, seed });
        drawn.push({ seed, address: URL.createObjectURL(picture) });
        if (photo === this.photo) this.open(photo);
      }
    } finally {
      button.disabled = false;
    }
  }

  /** Of the shown photo, by the model of the settings. */
  #drawn() {
    this.photo.drawn ??= {};
    return (this.photo.drawn[look().model] ??= []);
  }

  #button(name, seed, chosen, address) {
    const button = document.createElement("button");
    button.type = "button";
    button.ariaPressed = seed === chosen;
    button.title = name;
    if (address) {
      button.append(Object.assign(new Image(), { src: address, alt: name }));
    } else {
      button.textContent = name;
    }
    button.addEventListener("click", () => {
      this.photo.seeds = { ...this.photo.seeds, [look().model]: seed };
      this.open(this.photo);
      this.onChoose();
    });
    return button;
  }
}
