// Colours of pictures, and pictures of hints.

const hex = (value) => value.toString(16).padStart(2, "0");

/** A picture whose pixels can be asked for, at the coordinates of its photo. */
export class Sampler {
  #data;

  constructor(data, photo) {
    this.#data = data;
    this.scale = data.width / photo.width;
  }

  static async of(blob, photo) {
    const bitmap = await createImageBitmap(blob);
    const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
    const context = canvas.getContext("2d");
    context.drawImage(bitmap, 0, 0);
    return new Sampler(context.getImageData(0, 0, canvas.width, canvas.height), photo);
  }

  colorAt({ x, y }) {
    const { width, height, data } = this.#data;
    const column = Math.min(width - 1, Math.floor(x * this.scale));
    const row = Math.min(height - 1, Math.floor(y * this.scale));
    const at = 4 * (row * width + column);
    return `#${hex(data[at])}${hex(data[at + 1])}${hex(data[at + 2])}`;
  }

  /** Points on a grid over a box of the photo, each in the colour that the picture has there. */
  pointsIn(box) {
    const width = box.right - box.left;
    const height = box.bottom - box.top;
    const step = Math.max(4 / this.scale, Math.sqrt((width * height) / MAX_POINTS));
    const places = [];
    for (let y = box.top + step / 2; y < box.bottom; y += step) {
      for (let x = box.left + step / 2; x < box.right; x += step) {
        places.push([x, y]);
      }
    }
    if (!places.length) places.push([box.left + width / 2, box.top + height / 2]);
    return places.map(([x, y]) => {
      const point = { x: Math.floor(x), y: Math.floor(y), radius: 0 };
      return { ...point, color: this.colorAt(point) };
    });
  }
}

const MAX_POINTS = 2000;

/** How far two pictures differ in a list of points, mean of the largest channel difference. */
export function difference(points, others) {
  const channels = ({ color }) => [1, 3, 5].map((i) => parseInt(color.slice(i, i + 2), 16));
  const distances = points.map((point, i) => {
    const other = channels(others[i]);
    return Math.max(...channels(point).map((value, k) => Math.abs(value - other[k])));
  });
  return distances.reduce((sum, d) => sum + d, 0) / Math.max(1, distances.length);
}

/** A transparent PNG of a photo's size, whose opaque pixels are the colours of hints. */
export async function pngOf(photo, points, picture) {
  const canvas = new OffscreenCanvas(photo.width, photo.height);
  const context = canvas.getContext("2d");
  if (picture) context.drawImage(picture.bitmap, 0, 0);
  for (const point of points) {
    context.fillStyle = point.color;
    // Row by row: an arc would have half-transparent pixels at its edge.
    const [x, y, radius] = [Math.floor(point.x), Math.floor(point.y), Math.floor(point.radius ?? 0)];
    for (let dy = -radius; dy <= radius; dy++) {
      const half = Math.floor(Math.sqrt(radius * radius - dy * dy));
      context.fillRect(x - half, y + dy, 2 * half + 1, 1);
    }
  }
  return canvas.convertToBlob({ type: "image/png" });
}
