/** What waits to be taken by a peer: written in slices, at the speed at which it reads. */
import type { Socket } from "node:net";
import type { Clock } from "../../ports/index.ts";

/** Handed to the socket at once; more waits here, where what the peer takes can be seen. */
const SLICE_BYTES = 256 * 1024;

export class Output {
  readonly #socket: Socket;
  readonly #clock: Clock;
  readonly #onTaken: (bytes: number) => void;
  #pieces: Uint8Array[] = [];
  #next = 0;
  #waitingBytes = 0;
  #sinceMs = 0;
  #isBlocked = false;

  /** `onTaken`: the socket has room again, and so many bytes are with it. */
  constructor(socket: Socket, clock: Clock, onTaken: (bytes: number) => void) {
    this.#socket = socket;
    this.#clock = clock;
    this.#onTaken = onTaken;
    socket.on("drain", () => {
      this.#isBlocked = false;
      this.#sinceMs = clock.monotonicMs();
      this.#flush();
    });
  }

  get waitingBytes(): number {
    return this.#waitingBytes;
  }

  /** Since when the peer takes nothing of what waits; undefined where nothing waits. */
  get stalledSinceMs(): number | undefined {
    return this.#isBlocked ? this.#sinceMs : undefined;
  }

  write(pieces: readonly Uint8Array[], sizeBytes: number): void {
    for (const piece of pieces) if (piece.byteLength > 0) this.#pieces.push(piece);
    this.#waitingBytes += sizeBytes;
    if (!this.#isBlocked) this.#flush();
  }

  /** Forgets what waits; answers how much it was. */
  drop(): number {
    const bytes = this.#waitingBytes;
    this.#pieces = [];
    this.#next = 0;
    this.#waitingBytes = 0;
    return bytes;
  }

  #flush(): void {
    const socket = this.#socket;
    let written = 0;
    socket.cork();
    while (this.#next < this.#pieces.length && !this.#isBlocked) {
      const piece = this.#pieces[this.#next] as Uint8Array;
      const slice = piece.subarray(0, SLICE_BYTES);
      if (slice.byteLength === piece.byteLength) this.#next++;
      else this.#pieces[this.#next] = piece.subarray(SLICE_BYTES);
      written += slice.byteLength;
      this.#isBlocked = !socket.write(slice);
    }
    socket.uncork();
    if (this.#isBlocked) this.#sinceMs = this.#clock.monotonicMs();
    if (this.#next === this.#pieces.length) {
      this.#pieces = [];
      this.#next = 0;
    }
    this.#waitingBytes -= written;
    if (written > 0) this.#onTaken(written);
  }
}
