/**
 * One connection: frames in, answers out.
 *
 * C1  Answers leave in the order of their requests (Kafka's rule), also where several are answered at once.
 * C2  Whoever sends faster than it is answered, or does not read, is not read from any more: what is held for it is at
 *     most what it may send ahead, one frame, the answers of what is being answered, and a socket's buffer.
 * C3  What came before the peer's end is answered in order: an `acks=0` record is not lost because its sender has gone.
 *     Waiting for new records ends, though.
 * C4  A request that fails ends the connection, after the answers to those before it.
 */
import type { Socket } from "node:net";
import { totalBytes } from "../../base/bytes.ts";
import { BrokerlessError } from "../../base/errors.ts";
import type { Clock } from "../../ports/index.ts";
import { FrameReader } from "../framing.ts";
import { Output } from "./output.ts";
import type { Reader, Room } from "./room.ts";
import type { Answer, FrameService, TcpLimits } from "./types.ts";

/** More small frames than this are not read ahead. */
const MAX_AHEAD = 256;
/** How long one may pause in its frame while others wait for room. */
const HURRY_MS = 2000;
/** How long a peer may read its last answers before the connection is cut: a reset could take them from it. */
const LINGER_MS = 1000;

export interface ConnectionParts<State> {
  readonly socket: Socket;
  readonly service: FrameService<State>;
  readonly state: State;
  readonly limits: TcpLimits;
  readonly clock: Clock;
  readonly room: Room;
  /** It was closed because of this: a frame that cannot be, or a request that failed. */
  readonly onFailure: (error: unknown) => void;
  readonly onClose: () => void;
}

/** Frames that are answered together. */
interface Run {
  readonly frames: readonly Uint8Array[];
  readonly sizeBytes: number;
  answers: readonly Answer[] | undefined;
  error: unknown;
}

export class Connection<State> implements Reader {
  readonly #parts: ConnectionParts<State>;
  readonly #socket: Socket;
  readonly #reader: FrameReader;
  readonly #output: Output;
  readonly #gone = new AbortController();
  readonly #waiting: Uint8Array[] = [];
  readonly #runs: Run[] = [];
  #running: Uint8Array[] = [];
  #aheadBytes = 0;
  /** What is counted in the room for this connection. */
  #wholeBytes = 0;
  #partialBytes = 0;
  #activeAtMs: number;
  #frameSinceMs = 0;
  #isPaused = false;
  /** Nothing more is read. */
  #isEnding = false;
  #isClosed = false;

  constructor(parts: ConnectionParts<State>) {
    const { socket, limits, clock } = parts;
    this.#parts = parts;
    this.#socket = socket;
    this.#reader = new FrameReader(limits.frameBytes);
    this.#activeAtMs = clock.monotonicMs();
    this.#output = new Output(socket, clock, (bytes) => {
      this.#hold(-bytes);
      this.#go();
    });
    parts.room.enter(this);
    socket.on("data", (piece) => this.#read(piece as Buffer));
    socket.on("end", () => this.#finish());
    socket.on("error", () => {});
    socket.on("close", () => this.#closed());
    this.#go();
  }

  get isInsideFrame(): boolean {
    return this.#reader.isInside;
  }

  /** For the listener's rounds: closes what is idle, too slow in sending, or does not read. */
  check(nowMs: number): void {
    const { limits, room } = this.#parts;
    const { stalledSinceMs } = this.#output;
    if (this.#socket.writableEnded) {
      if (nowMs - this.#activeAtMs > LINGER_MS) this.destroy();
    } else if (stalledSinceMs !== undefined) {
      if (nowMs - stalledSinceMs > limits.stallMs) this.destroy();
    } else if (this.#reader.isInside) {
      if (this.#isPaused) return;
      const hurryMs = room.isChosen(this) ? Math.min(HURRY_MS, limits.frameMs) : limits.frameMs;
      if (nowMs - this.#frameSinceMs > limits.frameMs || nowMs - this.#activeAtMs > hurryMs) this.destroy();
    } else if (this.#runs.length === 0 && this.#waiting.length === 0 && nowMs - this.#activeAtMs > limits.idleMs) this.destroy();
  }

  review(): void {
    this.#go();
  }

  /** Reads nothing more, answers what it has begun, then ends. */
  finish(): void {
    this.#dropWaiting();
    this.#finish();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  #read(piece: Uint8Array): void {
    if (this.#isEnding) return;
    const { clock, room } = this.#parts;
    this.#activeAtMs = clock.monotonicMs();
    const wasInside = this.#reader.isInside;
    const frames = this.#reader.push(piece);
    for (const frame of frames) {
      this.#waiting.push(frame);
      this.#aheadBytes += frame.byteLength;
      this.#hold(frame.byteLength);
    }
    const partialBytes = this.#reader.heldBytes;
    const growthBytes = partialBytes - this.#partialBytes;
    this.#partialBytes = partialBytes;
    this.#hold(0, growthBytes);
    if (this.#reader.isInside && (!wasInside || frames.length > 0)) this.#frameSinceMs = this.#activeAtMs;
    if (frames.length > 0) room.step(this);
    if (this.#reader.error !== undefined) this.#fail(this.#reader.error);
    else this.#go();
  }

  /** Starts what can be started, and reads on where there is room. */
  #go(): void {
    if (this.#isClosed) return;
    const { service, limits, clock, room } = this.#parts;
    while (this.#waiting.length > 0 && this.#output.waitingBytes <= limits.outputBytes) {
      const count = service.take(this.#waiting, this.#running);
      if (count === 0) break;
      this.#start(this.#waiting.splice(0, count));
    }
    if (this.#isEnding) {
      if (this.#waiting.length === 0 && this.#runs.length === 0 && this.#output.waitingBytes === 0) this.#end();
      return;
    }
    const isFull =
      this.#aheadBytes > limits.aheadBytes || this.#waiting.length > MAX_AHEAD || this.#output.waitingBytes > limits.outputBytes;
    const mayRead = !isFull && room.mayRead(this);
    if (mayRead === !this.#isPaused) return;
    this.#isPaused = !mayRead;
    if (mayRead) {
      // The time that it was not read from is not its own.
      this.#frameSinceMs = clock.monotonicMs();
      this.#activeAtMs = this.#frameSinceMs;
      this.#socket.resume();
    } else {
      if (isFull) room.step(this);
      this.#socket.pause();
    }
  }

  #start(frames: readonly Uint8Array[]): void {
    const { service, state } = this.#parts;
    const sizeBytes = totalBytes(frames);
    this.#aheadBytes -= sizeBytes;
    const run: Run = { frames, sizeBytes, answers: undefined, error: undefined };
    this.#runs.push(run);
    this.#running.push(...frames);
    service.answer(frames, state, this.#gone.signal).then(
      (answers) => {
        run.answers = answers;
        this.#answer();
      },
      (error: unknown) => {
        run.error = error ?? new Error("a request failed");
        this.#answer();
      },
    );
  }

  /** Sends the answers that are next. */
  #answer(): void {
    if (this.#isClosed) return;
    for (;;) {
      const run = this.#runs[0];
      if (run === undefined || (run.answers === undefined && run.error === undefined)) break;
      if (run.error !== undefined) {
        this.#refuse(run.error);
        return;
      }
      this.#runs.shift();
      this.#running = this.#running.slice(run.frames.length);
      this.#hold(-run.sizeBytes);
      const answers = run.answers as readonly Answer[];
      this.#send(answers);
      if (answers.length < run.frames.length) {
        this.#refuse(new BrokerlessError("unavailable", "a request was refused"));
        return;
      }
    }
    this.#activeAtMs = this.#parts.clock.monotonicMs();
    this.#go();
  }

  #send(answers: readonly Answer[]): void {
    const pieces: Uint8Array[] = [];
    let sizeBytes = 0;
    for (const answer of answers) {
      if (answer === undefined) continue;
      pieces.push(...answer);
      sizeBytes += totalBytes(answer);
    }
    if (sizeBytes === 0) return;
    this.#hold(sizeBytes);
    this.#output.write(pieces, sizeBytes);
  }

  /** A request failed: nothing after it is answered. */
  #refuse(error: unknown): void {
    this.#runs.length = 0;
    this.#running = [];
    this.#dropWaiting();
    this.#fail(error);
  }

  #fail(error: unknown): void {
    this.#parts.onFailure(error);
    this.#finish();
  }

  #end(): void {
    if (this.#socket.writableEnded) return;
    this.#activeAtMs = this.#parts.clock.monotonicMs();
    this.#socket.end();
  }

  #dropWaiting(): void {
    this.#waiting.length = 0;
    this.#hold(-this.#aheadBytes);
    this.#aheadBytes = 0;
  }

  #finish(): void {
    if (!this.#isEnding) {
      this.#isEnding = true;
      this.#parts.room.leave(this);
      this.#gone.abort();
      // What comes now is not looked at, and the peer's end is seen.
      this.#socket.resume();
    }
    this.#go();
  }

  #hold(wholeBytes: number, partialBytes = 0): void {
    if ((wholeBytes === 0 && partialBytes === 0) || this.#isClosed) return;
    this.#wholeBytes += wholeBytes;
    this.#parts.room.hold(wholeBytes, partialBytes);
  }

  #closed(): void {
    if (this.#isClosed) return;
    this.#isEnding = true;
    const { room, service, state, onClose } = this.#parts;
    room.leave(this);
    this.#hold(-this.#wholeBytes, -this.#partialBytes);
    this.#isClosed = true;
    this.#output.drop();
    this.#dropWaiting();
    this.#gone.abort();
    service.close?.(state);
    onClose();
  }
}
