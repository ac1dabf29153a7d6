// The page: photos and clips come in, one is shown, its colours follow the settings and the hints, and all go home.

import * as api from "./api.js";
import { Clips } from "./clips.js";
import { Correction } from "./correct.js";
import { follow } from "./files.js";
import { History, pictureOf, pointsOf } from "./marks.js";
import { clearNotes, note, noting, speak } from "./say.js";
import { Sending } from "./sending.js";
import { lookAt, Samples } from "./samples.js";
import { format, look, offer } from "./settings.js";
import { drawStrip } from "./strip.js";
import { Viewer } from "./viewer.js";

const element = (id) => document.getElementById(id);
const viewer = new Viewer();
const correction = new Correction(refresh);
const samples = new Samples(refresh);
const clips = new Clips(drawPhotos);
const sending = new Sending();
// Files may be dropped before the server has answered.
const offered = api.about();

let photos = [];
let shown = null;
let pending = new AbortController(); // what is asked about the shown photo

/** Take files from a drop or a dialog, one after the other. */
async function add(files) {
  const about = await offered;
  if (!sending.isUnderWay) clearNotes();
  const isFirst = !photos.length;
  const { signal } = sending;
  for (const [i, file] of files.entries()) {
    if (file.size > about.max_upload) {
      const kind = isClip(file, about) ? "clip" : "photo";
      note(`${file.name} has more than ${about.max_upload / 1e6} MB: drop a smaller ${kind}`);
      continue;
    }
    const send = isClip(file, about) ? api.addClip : api.addPhoto;
    const line = `Sending ${file.name}, ${i + 1} of ${files.length}`;
    const taken = await sending.show(line, () => send(file, signal));
    if (signal.aborted) return;
    if (!taken) continue;
    const own = { ...taken, file, life: new AbortController() };
    if (isClip(file, about)) {
      clips.add(own);
      continue;
    }
    for (const line of taken.notes) note(`${taken.name}: ${line}`);
    photos.push({ ...own, history: new History(), thumb: api.grayAddress(taken) });
    if (photos.length === 1 || (!isFirst && i === 0)) show(photos.at(-1));
    drawPhotos();
  }
}

const isClip = ({ name }, about) => about.clip_suffixes.some((suffix) => name.toLowerCase().endsWith(suffix));

function show(photo) {
  shown = photo;
  drawPhotos();
  if (!photo) {
    pending.abort();
    viewer.close();
    return;
  }
  viewer.open(photo, api.grayAddress(photo));
  correction.open(photo);
  refresh();
}

/** Color the shown photo anew; only the last of several wishes counts. */
async function refresh() {
  if (!shown) return;
  pending.abort();
  pending = new AbortController();
  const { signal } = pending;
  const photo = shown;
  samples.open(photo);
  viewer.setBusy(true);
  await noting(async () => {
    await sendHints(photo);
    const picture = await api.color(photo, lookAt(photo), signal);
    photo.picture = picture;
    viewer.setColor(picture);
    URL.revokeObjectURL(photo.thumb);
    photo.thumb = URL.createObjectURL(picture);
    drawPhotos();
    speak(`${photo.name} is colored`);
    await showDoubt(photo, signal);
  }, "the shown photo");
  if (!signal.aborted) viewer.setBusy(false);
}

/** Ask where the model is unsure only when somebody wants to see it, and once. */
async function showDoubt(photo, signal) {
  const { model, vividness } = look();
  const about = `${model} ${vividness}`;
  if (!element("overlay").checked) return viewer.setDoubt(null);
  if (photo.doubtOf !== about) {
    photo.doubt = await api.doubt(photo, look(), signal);
    photo.doubtOf = about;
  }
  return viewer.setDoubt(element("overlay").checked ? photo.doubt : null);
}

/** Let the server know of the hints as they are now. */
async function sendHints(photo) {
  while (photo.sent !== photo.history.marks) {
    const { marks } = photo.history;
    const picture = pictureOf(marks);
    if (picture !== photo.sentPicture) await api.putStrokes(photo, picture?.file);
    await api.putPoints(photo, pointsOf(marks));
    [photo.sent, photo.sentPicture] = [marks, picture];
  }
}

/** Give the server what belongs to a photo that it did not have any more. */
async function restore(photo) {
  photo.sent = photo.sentPicture = photo.doubtOf = undefined;
  if (!photo.picture) photo.thumb = api.grayAddress(photo);
  if (photo === shown) element("gray").src = api.grayAddress(photo);
  if (photo.reference) await api.putReference(photo, photo.reference);
  await sendHints(photo);
}

async function remove(photo) {
  release(photo);
  await noting(() => api.deletePhoto(photo));
  photos = photos.filter((other) => other !== photo);
  show(photo === shown ? (photos[0] ?? null) : shown);
}

/** Drop the pictures of a photo that is seen no more, and do not send it again. */
function release(photo) {
  photo.life.abort();
  URL.revokeObjectURL(photo.thumb);
  samples.release(photo);
}

async function forget() {
  sending.cancel();
  const isDone = await noting(async () => {
    await api.deleteAll();
    return true;
  });
  if (!isDone) return;
  photos.forEach(release);
  photos = [];
  clips.clear();
  show(null);
  clearNotes();
  speak("Your photos are deleted");
}

async function develop(several) {
  clearNotes();
  const [progress, buttons] = [element("progress"), ["develop", "develop-all"].map(element)];
  for (const button of buttons) button.disabled = true;
  progress.hidden = false;
  progress.max = several.length;
  const done = [];
  for (const [i, photo] of several.entries()) {
    progress.value = i;
    const path = await noting(async () => {
      await sendHints(photo);
      return api.develop(photo, lookAt(photo), format());
    });
    if (!path) continue;
    photo.kept = photo.history.marks;
    done.push({ photo, path });
  }
  const all = done.map(({ photo }) => photo).filter((photo) => photos.includes(photo)); // none removed meanwhile
  const address = several.length > 1 && all.length ? await noting(() => api.zip(all, format())) : done[0]?.path;
  if (address) follow(address);
  progress.hidden = true;
  for (const button of buttons) button.disabled = false;
}

/** Whether work would be lost with the page: files under way, or hints and clips that were not downloaded. */
function hasUnsaved() {
  const isKept = ({ history, kept }) => !history.marks.length || kept === history.marks;
  return sending.isUnderWay || clips.hasUnsaved || !photos.every(isKept);
}

function drawPhotos() {
  const isEmpty = !photos.length && !clips.number;
  element("empty").hidden = !isEmpty;
  for (const id of ["work", "add", "clear"]) element(id).hidden = isEmpty;
  element("work").classList.toggle("clips-only", !photos.length);
  element("develop-all").hidden = photos.length < 2;
  drawStrip(photos, shown, { onShow: show, onDelete: remove });
}

function setView() {
  const view = document.querySelector("[name=view]:checked").value;
  viewer.setView(view);
  correction.setVisible(view === "correct");
}

function connect() {
  for (const input of document.querySelectorAll("#files, #add input")) {
    input.addEventListener("change", () => {
      add([...input.files]);
      input.value = "";
    });
  }
  element("views").addEventListener("change", setView);
  element("overlay").addEventListener("change", () => noting(() => showDoubt(shown, pending.signal)));
  element("clear").addEventListener("click", forget);
  element("develop").addEventListener("click", () => develop([shown]));
  element("develop-all").addEventListener("click", () => develop(photos));
  addEventListener("beforeunload", (event) => hasUnsaved() && event.preventDefault());
  addEventListener("pagehide", api.leave);
  api.onSentAgain(restore);
  connectDrop();
  setView();
}

function connectDrop() {
  const over = (event) => {
    event.preventDefault();
    document.body.classList.toggle("over", event.type === "dragover");
  };
  for (const type of ["dragover", "dragleave", "drop"]) addEventListener(type, over);
  addEventListener("drop", ({ dataTransfer: { files }, target }) => {
    if (!files.length) return;
    if (target.closest?.("#reference-field")) correction.setReference(files[0]);
    else add([...files]);
  });
}

async function connectSettings() {
  const about = await offered;
  offer(about, refresh);
  element("limits").textContent =
    `Up to ${about.max_photos} files of ${about.max_upload / 1e6} MB. They are deleted when you close the page, ` +
    `or ${about.keep_minutes} minutes after you last used it.`;
  for (const input of document.querySelectorAll("#files, #add input")) {
    input.accept = [...about.suffixes, ...about.clip_suffixes].join();
  }
}

connect();
noting(connectSettings);
