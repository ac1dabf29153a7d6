// What the server is asked for. A person is a token in the address, had with the first photo.

/** The server said no; the message is a line for a person. */
export class Refusal extends Error {}

let token = null;
let session = null; // a promise of the token: photos dropped at once wait for the same one
let isLeaving = false;
let restore = async () => {};

async function ask(path, options = {}) {
  let answer;
  try {
    answer = await fetch(path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refusal("the server cannot be reached: is it still running?");
  }
  if (answer.ok) return answer;
  const text = await answer.text();
  throw Object.assign(new Refusal(reason(text)), { status: answer.status });
}

function reason(text) {
  try {
    return JSON.parse(text).error;
  } catch {
    return "something went wrong at the server: try again";
  }
}

const address = (photo, what) => `/api/${token}/photos/${photo.id}${what}`;
const post = (path, body, signal) => ask(path, { method: "POST", body, signal });

/** Ask about a photo. One that the server has no more, as after a restart, is sent again and then asked about. */
async function askOf(photo, what, options) {
  const { id } = photo;
  try {
    return await ask(address(photo, what), options);
  } catch (error) {
    const isMissing = error.status === 404 && !isLeaving;
    if (!isMissing || (photo.id === id && photo.isFresh)) throw error;
    if (photo.id === id) await (photo.resending ??= sendAgain(photo));
    return ask(address(photo, what), options);
  }
}

async function sendAgain(photo) {
  try {
    const { id } = await addPhoto(photo.file, photo.life.signal);
    Object.assign(photo, { id, isFresh: true });
    await restore(photo);
  } finally {
    Object.assign(photo, { isFresh: false, resending: null });
  }
}

/** `work(photo)` gives the server what belongs to a photo that was sent again. */
export const onSentAgain = (work) => (restore = work);

const putTo = (photo, what, body) => askOf(photo, what, { method: "PUT", body });

export const about = async () => (await ask("/api/about")).json();

async function openSession() {
  try {
    token = (await (await post("/api/sessions")).json()).session;
    return token;
  } catch (error) {
    session = null;
    throw error;
  }
}

async function addFile(file, kind, signal) {
  const send = async (opened) =>
    (await post(`/api/${await opened}/${kind}?name=${encodeURIComponent(file.name)}`, file, signal)).json();
  const opened = (session ??= openSession());
  try {
    return await send(opened);
  } catch (error) {
    if (error.status !== 404) throw error;
    // Not used for long, and deleted; of several files that find it so the first opens a new one.
    if (session === opened) session = null;
    return send((session ??= openSession()));
  }
}

/** Send a photo; resolves to {id, name, width, height, notes}. */
export const addPhoto = (file, signal) => addFile(file, "photos", signal);

/** Send a clip; resolves to {id, name, width, height, frames, seconds}. */
export const addClip = (file, signal) => addFile(file, "clips", signal);

export const clipAddress = (clip, what) => `/api/${token}/clips/${clip.id}${what}`;
export const deleteClip = (clip) => ask(clipAddress(clip, ""), { method: "DELETE" });
export const cancelClip = (clip) => post(clipAddress(clip, "/cancel"));

/** Let a clip be colored; does not wait for it. One that the server has no more is sent again. */
export async function colorClip(clip, look) {
  const begin = () => post(clipAddress(clip, `/color?${new URLSearchParams(look)}`));
  try {
    await begin();
  } catch (error) {
    if (error.status !== 404 || isLeaving) throw error;
    clip.id = (await addClip(clip.file, clip.life.signal)).id;
    await begin();
  }
}

/** How far it is: {state, done, total, preview, error}. */
export const clipProgress = async (clip) => (await ask(clipAddress(clip, "/progress"))).json();

export const grayAddress = (photo) => address(photo, "/gray");
export const deletePhoto = (photo) => ask(address(photo, ""), { method: "DELETE" });

/** The colored preview; `look` is {model, vividness, saturation}. */
export async function color(photo, look, signal) {
  return (await askOf(photo, `/color?${new URLSearchParams(look)}`, { signal })).blob();
}

export async function doubt(photo, look, signal) {
  return (await askOf(photo, `/doubt?${new URLSearchParams(look)}`, { signal })).blob();
}

/** Colours that are likely at a place, as #rrggbb. */
export async function likely(photo, x, y) {
  return (await askOf(photo, `/likely?${new URLSearchParams({ x, y })}`)).json();
}

export const putPoints = (photo, points) => putTo(photo, "/points", JSON.stringify(points));
export const putStrokes = (photo, file) => putTo(photo, "/strokes", file ?? "");
export const putReference = (photo, file) => putTo(photo, "/reference", file ?? "");

/** Color a photo at full size; resolves to the address of the file. */
export async function develop(photo, look, format) {
  const what = `/full?${new URLSearchParams({ ...look, format })}`;
  await askOf(photo, what, { method: "POST" });
  return address(photo, what);
}

/** Pack what was developed; resolves to the address of the file. */
export async function zip(photos, format) {
  const path = `/api/${token}/zip?${new URLSearchParams({ format })}`;
  await post(path, JSON.stringify(photos.map((photo) => photo.id)));
  return path;
}

/** Delete all. */
export async function deleteAll() {
  isLeaving = true;
  try {
    if (token) await post(`/api/${token}/leave`);
    token = session = null;
  } finally {
    isLeaving = false;
  }
}

/** Delete all as the page closes, when nobody waits for an answer. */
export function leave() {
  if (token) navigator.sendBeacon(`/api/${token}/leave`);
}
