// Files that the page gives to the person.

/** Let the browser save what it holds already. */
export function saveAs(blob, name) {
  const address = URL.createObjectURL(blob);
  follow(address, name);
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}

/** Let the browser fetch and save; the server says the name. */
export function follow(address, name = "") {
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
}
