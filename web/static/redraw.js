// Lists that are drawn anew while somebody may be in them with the keyboard.

/** Replace the children of an element; the button that takes the place of the focused one gets the focus. */
export function redraw(parent, children) {
  const buttons = () => [...parent.querySelectorAll("button")];
  const at = buttons().indexOf(document.activeElement);
  parent.replaceChildren(...children);
  if (at >= 0) (buttons()[at] ?? buttons().at(-1))?.focus({ preventScroll: true });
}
