/** Input cut at a delimiter, in pieces of many lines for each chunk that arrives. */

/** No record can be as large; a file without the delimiter must not fill the memory. */
const MAX_LINE_BYTES = 128 * 1024 * 1024;

/** Lines without their delimiter, as views; a last one without a delimiter counts, an empty rest does not. */
export async function* linesOf(
  input: AsyncIterable<Uint8Array>,
  delimiter: Uint8Array,
): AsyncGenerator<Uint8Array[], void, void> {
  let held: Uint8Array[] = [];
  let heldBytes = 0;
  for await (const chunk of input) {
    let data = buffer(chunk);
    if (heldBytes > 0) {
      // Only the end of what is held can be the beginning of a delimiter that this chunk completes.
      const mayComplete = delimiter.byteLength > 1 || data.includes(delimiter[0] as number);
      if (!mayComplete) {
        held.push(data);
        heldBytes += data.byteLength;
        checkSize(heldBytes);
        continue;
      }
      data = Buffer.concat([...held, data]);
      held = [];
      heldBytes = 0;
    }
    const lines: Uint8Array[] = [];
    let from = 0;
    for (let at = data.indexOf(delimiter); at >= 0; at = data.indexOf(delimiter, from)) {
      lines.push(data.subarray(from, at));
      from = at + delimiter.byteLength;
    }
    if (from < data.byteLength) {
      held.push(data.subarray(from));
      heldBytes = data.byteLength - from;
      checkSize(heldBytes);
    }
    if (lines.length > 0) yield lines;
  }
  if (heldBytes > 0) yield [Buffer.concat(held)];
}

function checkSize(heldBytes: number): void {
  if (heldBytes <= MAX_LINE_BYTES) return;
  throw new Error(`no delimiter within ${MAX_LINE_BYTES.toLocaleString("en-US")} bytes of input: is -D right?`);
}

function buffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
