/** A bare Kafka connection: frames as the test makes them, and what comes back. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { concatBytes } from "../../../lib/base/bytes.ts";
import { FrameReader, lengthPrefix, RESPONSE_BYTES } from "../../../lib/wire/framing.ts";

export class RawConnection {
  readonly socket: Socket;
  readonly frames: Uint8Array[] = [];
  /** Has the other side ended, or cut, the connection? */
  isEnded = false;
  #news: (() => void) | undefined;

  private constructor(socket: Socket, leastBytes: number) {
    this.socket = socket;
    const reader = new FrameReader(2 ** 30, leastBytes);
    socket.on("data", (piece) => {
      this.frames.push(...reader.push(piece as Buffer));
      this.#news?.();
    });
    const end = (): void => {
      this.isEnded = true;
      this.#news?.();
    };
    socket.on("end", end);
    socket.on("close", end);
    socket.on("error", () => {});
  }

  /** `leastBytes`: the shortest answer there is. */
  static async open(port: number, leastBytes: number = RESPONSE_BYTES): Promise<RawConnection> {
    const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
    await once(socket, "connect");
    return new RawConnection(socket, leastBytes);
  }

  /** Sends frames in one piece. */
  send(...frames: readonly Uint8Array[]): void {
    this.socket.write(concatBytes(frames.flatMap((frame) => [lengthPrefix(frame.byteLength), frame])));
  }

  /** Resolves with the first `count` answers, or with fewer when the connection has ended. */
  async answers(count: number): Promise<readonly Uint8Array[]> {
    while (this.frames.length < count && !this.isEnded) {
      await new Promise<void>((resolve) => {
        this.#news = resolve;
      });
    }
    return this.frames.slice(0, count);
  }

  async ended(): Promise<void> {
    await this.answers(Number.POSITIVE_INFINITY);
  }

  close(): void {
    this.socket.destroy();
  }
}

/** A request's frame: its header (without a client's name), and bytes after it. */
export function request(
  apiKey: number,
  apiVersion: number,
  correlationId: number,
  body: Uint8Array = new Uint8Array(0),
): Uint8Array {
  const frame = Buffer.alloc(10 + body.byteLength);
  frame.writeInt16BE(apiKey, 0);
  frame.writeInt16BE(apiVersion, 2);
  frame.writeInt32BE(correlationId, 4);
  frame.writeInt16BE(-1, 8);
  frame.set(body, 10);
  return frame;
}

export function correlationIdOf(answer: Uint8Array): number {
  return Buffer.from(answer).readInt32BE(0);
}
