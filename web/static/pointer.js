// One way to point at the photo, with a mouse, a pen, a finger or the keyboard.

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/**
 * Call `tool.press`, `tool.drag` and `tool.release` with places in pixels of the photo, and `tool.hover` with
 * where the keyboard's cross is, or undefined.
 */
export function follow(canvas, sizeOf, tool) {
  let cross = null;
  let isPressed = false;

  const placeOf = (event) => {
    const box = canvas.getBoundingClientRect();
    const { width, height } = sizeOf();
    return {
      x: clamp(((event.clientX - box.left) / box.width) * width, width),
      y: clamp(((event.clientY - box.top) / box.height) * height, height),
    };
  };

  canvas.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    canvas.setPointerCapture(event.pointerId);
    cross = null;
    tool.hover(undefined);
    isPressed = true;
    tool.press(placeOf(event));
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!isPressed || cross) return;
    for (const step of event.getCoalescedEvents?.() ?? [event]) tool.drag(placeOf(step));
  });
  const release = () => {
    if (isPressed) tool.release();
    isPressed = false;
  };
  canvas.addEventListener("pointerup", release);
  canvas.addEventListener("pointercancel", release);
  canvas.addEventListener("blur", () => {
    release();
    cross = null;
    tool.hover(undefined);
  });

  canvas.addEventListener("keydown", (event) => {
    const { width, height } = sizeOf();
    cross ??= { x: width / 2, y: height / 2 };
    if (event.key in ARROWS) {
      const step = (Math.max(width, height) / 400) * (event.shiftKey ? 10 : 1);
      const [dx, dy] = ARROWS[event.key];
      cross = { x: clamp(cross.x + dx * step, width), y: clamp(cross.y + dy * step, height) };
      if (isPressed) tool.drag(cross);
    } else if (event.key === "Enter" && !isPressed) {
      isPressed = true;
      tool.press(cross);
    } else if (event.key === "Enter") {
      release();
    } else {
      return;
    }
    event.preventDefault();
    tool.hover(cross);
  });
}

/** Into the photo, whose last pixel ends at `side`. */
const clamp = (value, side) => Math.min(side - 0.01, Math.max(0, value));
