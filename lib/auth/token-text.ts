/**
 * A token as text: `bkl_<id>_<secret>`, 8 and 32 letters of RFC 4648's base32 in lower case: 40 bits to name it by, and
 * 160 random bits. One word to select, safe in headers, shells and URLs; the beginning lets scanners find it where it
 * should not be.
 */
const ALPHABET = "abcdefghijklmnopqrstuvwxyz234567";

export const ID_BYTES = 5;
export const SECRET_BYTES = 20;

const TOKEN = /^bkl_([a-z2-7]{8})_([a-z2-7]{32})$/;
const TOKEN_ID = /^[a-z2-7]{8}$/;

export interface TokenText {
  readonly id: string;
  readonly secret: string;
}

/** Undefined for what cannot be a token. */
export function parseToken(text: string): TokenText | undefined {
  const found = TOKEN.exec(text);
  return found === null ? undefined : { id: found[1] as string, secret: found[2] as string };
}

export function formatToken({ id, secret }: TokenText): string {
  return `bkl_${id}_${secret}`;
}

export function isTokenId(text: string): boolean {
  return TOKEN_ID.test(text);
}

/** Bytes as base32 without padding; a multiple of 5 of them. */
export function base32(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += 5) {
    let bits = 0n;
    for (let i = 0; i < 5; i++) bits = (bits << 8n) | BigInt(bytes[at + i] as number);
    for (let shift = 35n; shift >= 0n; shift -= 5n) text += ALPHABET[Number((bits >> shift) & 31n)];
  }
  return text;
}
