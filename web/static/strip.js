// The row of photos below the one that is shown.

import { redraw } from "./redraw.js";

const strip = document.getElementById("strip");

/** Draw it anew. `onShow` and `onDelete` take a photo. */
export function drawStrip(photos, shown, { onShow, onDelete }) {
  redraw(
    strip,
    photos.map((photo) => {
      const image = new Image();
      image.src = photo.thumb;
      image.alt = photo.name;
      const show = button(image, () => onShow(photo));
      if (photo === shown) show.setAttribute("aria-current", "true");
      const remove = button("✕", () => onDelete(photo));
      remove.className = "delete";
      remove.ariaLabel = `Remove ${photo.name}`;
      const item = document.createElement("li");
      item.append(show, remove);
      return item;
    }),
  );
}

function button(content, onClick) {
  const element = document.createElement("button");
  element.type = "button";
  element.append(content);
  element.addEventListener("click", onClick);
  return element;
}
