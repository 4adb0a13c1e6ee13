/** Base64 (RFC 4648 section 4, padded), checked: Node's own decoder skips what it does not know. */
const IS_BASE64 = new Uint8Array(256);
for (const letter of "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/") IS_BASE64[letter.charCodeAt(0)] = 1;

const PAD = 0x3d;

/** What this base64 text (its bytes) stands for; undefined when it is not base64. */
export function requireBase64(text: Buffer): Uint8Array | undefined {
  const length = text.byteLength;
  if (length % 4 !== 0) return undefined;
  let end = length;
  if (end > 0 && text[end - 1] === PAD) end--;
  if (end > 0 && end === length - 1 && text[end - 1] === PAD) end--;
  let fits = 1;
  for (let i = 0; i < end; i++) fits &= IS_BASE64[text[i] as number] as number;
  if (fits === 0) return undefined;
  return Buffer.from(text.toString("latin1"), "base64");
}
