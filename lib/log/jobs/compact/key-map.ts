/**
 * Key to the offset of its latest record, in a fixed number of bytes: an open hash table in typed arrays, 24 bytes a place.
 *
 * A key of up to 15 bytes stands for itself; a longer one is told by 120 bits of its hash, so nobody can make two that are
 * taken for one (Kafka takes MD5).
 */
const PLACE_BYTES = 24;
/** Beyond it a search takes too many steps. */
const FULL_SHARE = 0.75;
/** The last of 16 bytes is the length of the key, or tells that they are a hash. */
const KEY_BYTES = 15;
const HASHED = 0xff;

export class KeyMap {
  readonly #places: number;
  /** Four words a place: the key, or its hash. */
  readonly #words: Uint32Array;
  /** Offset and one: 0 is a free place. */
  readonly #offsets: Float64Array;
  readonly #most: number;
  readonly #key = new Uint8Array(16);
  readonly #keyWords = new Uint32Array(this.#key.buffer);
  readonly #digest: (key: Uint8Array) => Uint8Array;
  #count = 0;

  /** Takes at most so much memory, and less where so many keys fit into less. */
  constructor(budgetBytes: number, keysMost: number, digest: (key: Uint8Array) => Uint8Array) {
    this.#digest = digest;
    this.#places = Math.max(16, Math.min(Math.floor(budgetBytes / PLACE_BYTES), Math.ceil(keysMost / FULL_SHARE) + 1));
    this.#words = new Uint32Array(this.#places * 4);
    this.#offsets = new Float64Array(this.#places);
    this.#most = Math.floor(this.#places * FULL_SHARE);
  }

  get count(): number {
    return this.#count;
  }

  /** How many more keys there is room for. */
  get room(): number {
    return this.#most - this.#count;
  }

  /** Notes a record of the key; offsets of one key grow. There must be room. */
  set(key: Uint8Array, offset: number): void {
    const place = this.#find(key);
    if (this.#offsets[place] === 0) {
      this.#words.set(this.#keyWords, place * 4);
      this.#count++;
    }
    this.#offsets[place] = offset + 1;
  }

  /** The offset of the latest record; -1 where there is none. */
  get(key: Uint8Array): number {
    return (this.#offsets[this.#find(key)] as number) - 1;
  }

  /** The place of the key, or the free one where it belongs. */
  #find(key: Uint8Array): number {
    this.#read(key);
    const words = this.#words;
    const [a = 0, b = 0, c = 0, d = 0] = this.#keyWords;
    let place = Math.floor((mixed(a, b, c, d) / 2 ** 32) * this.#places);
    for (; this.#offsets[place] !== 0; place = place + 1 === this.#places ? 0 : place + 1) {
      const at = place * 4;
      if (words[at] === a && words[at + 1] === b && words[at + 2] === c && words[at + 3] === d) return place;
    }
    return place;
  }

  #read(key: Uint8Array): void {
    if (key.byteLength <= KEY_BYTES) {
      this.#key.fill(0);
      this.#key.set(key);
      this.#key[KEY_BYTES] = key.byteLength;
      return;
    }
    this.#key.set(this.#digest(key).subarray(0, KEY_BYTES));
    this.#key[KEY_BYTES] = HASHED;
  }
}

/** Spreads keys that differ little over all places (the finish of MurmurHash3). */
function mixed(a: number, b: number, c: number, d: number): number {
  let h = Math.imul(a, 0xcc9e2d51) ^ Math.imul(b, 0x1b873593) ^ Math.imul(c, 0x85ebca6b) ^ Math.imul(d, 0xc2b2ae35);
  h ^= h >>> 16;
  h = Math.imul(h, 0x85ebca6b);
  h ^= h >>> 13;
  h = Math.imul(h, 0xc2b2ae35);
  h ^= h >>> 16;
  return h >>> 0;
}
