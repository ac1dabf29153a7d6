// How marks look on the canvas over the photo.

/** Draw marks, the region that is chosen and the keyboard's cross; sizes are in pixels of the photo. */
export function draw(canvas, photo, { marks, region, cross, selected }) {
  const ratio = window.devicePixelRatio || 1;
  canvas.width = Math.round(canvas.clientWidth * ratio);
  canvas.height = Math.round(canvas.clientHeight * ratio);
  const context = canvas.getContext("2d");
  const scale = canvas.width / photo.width;
  for (const mark of marks) {
    if (mark.picture) context.drawImage(mark.picture.bitmap, 0, 0, canvas.width, canvas.height);
    else if (mark.box) outline(context, mark.box, scale, ratio, [2, 3]);
    else drawPoints(context, mark, scale, ratio, mark === selected);
  }
  if (region) outline(context, region, scale, ratio, [6, 4]);
  if (cross) drawCross(context, cross, scale, ratio);
}

function drawPoints(context, mark, scale, ratio, isSelected) {
  const disc = (point, more) => {
    context.beginPath();
    context.arc(point.x * scale, point.y * scale, Math.max(3 * ratio, point.radius * scale) + more, 0, 2 * Math.PI);
    context.fill();
  };
  // A rim below all of them, so that a stroke has one around it and none within.
  for (const [color, more] of [[isSelected ? "#000" : "#0006", 2.5], ["#fff", 1.5]]) {
    context.fillStyle = color;
    for (const point of mark.points) disc(point, more * ratio);
  }
  for (const point of mark.points) {
    context.fillStyle = point.color;
    disc(point, 0);
  }
}

function outline(context, box, scale, ratio, dash) {
  const size = [box.left, box.top, box.right - box.left, box.bottom - box.top].map((v) => v * scale);
  context.lineWidth = 1.5 * ratio;
  for (const [color, offset] of [["#000a", 0], ["#fff", dash[0] * ratio]]) {
    context.strokeStyle = color;
    context.setLineDash(dash.map((v) => v * ratio));
    context.lineDashOffset = offset;
    context.strokeRect(...size);
  }
  context.setLineDash([]);
}

function drawCross(context, { x, y }, scale, ratio) {
  for (const [color, width] of [["#000", 4], ["#fff", 2]]) {
    context.strokeStyle = color;
    context.lineWidth = width * ratio;
    context.beginPath();
    context.moveTo(x * scale - 12 * ratio, y * scale);
    context.lineTo(x * scale + 12 * ratio, y * scale);
    context.moveTo(x * scale, y * scale - 12 * ratio);
    context.lineTo(x * scale, y * scale + 12 * ratio);
    context.stroke();
  }
}
