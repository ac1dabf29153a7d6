// Hints as a person draws them: marks, each a list of points {x, y, color, radius} in pixels of the photo.
// A list of marks never changes; every step makes a new one, so that undoing is going back to an old one.

/** What was drawn on a photo, and the way back. */
export class History {
  #past = [];
  #future = [];
  marks = [];

  set(marks) {
    this.#past.push(this.marks);
    this.#future = [];
    this.marks = marks;
  }

  /** Change the last step itself, as while a stroke grows. */
  amend(marks) {
    this.marks = marks;
  }

  undo() {
    this.#future.push(this.marks);
    this.marks = this.#past.pop();
  }

  redo() {
    this.#past.push(this.marks);
    this.marks = this.#future.pop();
  }

  get canUndo() {
    return this.#past.length > 0;
  }

  get canRedo() {
    return this.#future.length > 0;
  }
}

/** All points, the last drawn last; those of a loaded picture are not among them. */
export const pointsOf = (marks) => marks.flatMap((mark) => mark.points ?? []);

/** The picture of strokes that was loaded, or undefined. */
export const pictureOf = (marks) => marks.find((mark) => mark.picture)?.picture;

/** Marks with one of a file; a picture takes the place of the former, as the server has room for one. */
export const withLoaded = (marks, loaded) => [...marks.filter((mark) => !(mark.picture && loaded.picture)), loaded];

export const recolor = (mark, color) => ({ ...mark, points: mark.points.map((p) => ({ ...p, color })) });

/** Points between two places, so close that their discs make a stroke. */
export function between(from, to, radius) {
  const steps = Math.max(1, Math.ceil(Math.hypot(to.x - from.x, to.y - from.y) / Math.max(1, radius / 2)));
  return Array.from({ length: steps }, (_, i) => {
    const share = (i + 1) / steps;
    return { x: from.x + share * (to.x - from.x), y: from.y + share * (to.y - from.y) };
  });
}

/** Marks without the points that a test is true for; a mark without points goes. */
export function without(marks, test) {
  return marks
    .map((mark) => (mark.points?.some(test) ? { ...mark, points: mark.points.filter((p) => !test(p)) } : mark))
    .filter((mark) => mark.picture || mark.points.length);
}

export const isInside = (box) => (p) =>
  p.x >= box.left && p.x <= box.right && p.y >= box.top && p.y <= box.bottom;

const noHints = (file) => new Error(`${file.name} holds no hints: choose a JSON or PNG that was saved here`);

/** A picture of strokes, as a mark. */
export async function markOfPicture(file) {
  const bitmap = await createImageBitmap(file).catch(() => null);
  if (!bitmap) throw noHints(file);
  return { kind: "picture", picture: { file, bitmap } };
}

/** What a file of hints holds, as a mark; a point without a radius is one pixel. */
export async function markOfPoints(file) {
  const list = await new Response(file).json().catch(() => null);
  if (!Array.isArray(list) || !list.every((p) => p && Number.isFinite(p.x) && Number.isFinite(p.y))) {
    throw noHints(file);
  }
  return { kind: "loaded", points: list.map((p) => ({ radius: 0, ...p })) };
}
