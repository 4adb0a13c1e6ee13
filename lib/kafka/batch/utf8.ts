/** UTF-8 of header keys: nearly always short and ASCII, which needs no encoder. */
const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true }); // a key that begins with U+FEFF keeps it

/** How many bytes the text takes. A lone surrogate counts as U+FFFD, as in `TextEncoder`. */
export function utf8Bytes(text: string): number {
  let size = 0;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c < 0x80) size += 1;
    else if (c < 0x800) size += 2;
    else if (c >= 0xd800 && c < 0xdc00 && isLowSurrogate(text.charCodeAt(i + 1))) {
      size += 4;
      i++;
    } else size += 3;
  }
  return size;
}

function isLowSurrogate(c: number): boolean {
  return c >= 0xdc00 && c < 0xe000;
}

/** Writes the text, whose size is `size`, at `at`; returns the place after it. */
export function writeUtf8(bytes: Uint8Array, at: number, text: string, size: number): number {
  if (size === text.length) {
    for (let i = 0; i < size; i++) bytes[at + i] = text.charCodeAt(i);
  } else {
    encoder.encodeInto(text, bytes.subarray(at, at + size));
  }
  return at + size;
}

/** What is not UTF-8 becomes U+FFFD. */
export function readUtf8(bytes: Uint8Array, from: number, to: number): string {
  if (to - from <= 24) {
    let text = "";
    for (let i = from; i < to; i++) {
      const c = bytes[i]!;
      if (c > 127) return decoder.decode(bytes.subarray(from, to));
      text += String.fromCharCode(c);
    }
    return text;
  }
  return decoder.decode(bytes.subarray(from, to));
}
