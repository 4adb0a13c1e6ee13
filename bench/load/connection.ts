/** One keep-alive HTTP/1.1 connection over a raw socket: a request, its reply, and nothing that costs. */
import { connect, type Socket } from "node:net";

export interface Reply {
  readonly status: number;
  readonly head: string;
  readonly body: Uint8Array;
}

export class Connection {
  readonly #socket: Socket;
  #received: Buffer[] = [];
  #size = 0;
  /** Where the whole reply ends; 0 while its head is not here. */
  #needed = 0;
  #headEnd = 0;
  #waiting: { resolve: (reply: Reply) => void; reject: (error: Error) => void } | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on("data", (piece) => this.#take(piece as Buffer));
    const broken = (error?: Error): void => this.#waiting?.reject(error ?? new Error("the server closed the connection"));
    socket.on("error", broken);
    socket.on("close", () => broken());
  }

  static open(port: number): Promise<Connection> {
    return new Promise((resolve, reject) => {
      const socket = connect(port, "127.0.0.1", () => resolve(new Connection(socket)));
      socket.once("error", reject);
    });
  }

  /** Sends the bytes of a whole request; the reply must have a content-length. */
  send(request: Uint8Array): Promise<Reply> {
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
      this.#socket.write(request);
    });
  }

  close(): void {
    this.#waiting = undefined;
    this.#socket.destroy();
  }

  #take(piece: Buffer): void {
    this.#received.push(piece);
    this.#size += piece.byteLength;
    if (this.#needed === 0) {
      const soFar = this.#received.length === 1 ? piece : Buffer.concat(this.#received);
      this.#received = [soFar];
      const end = soFar.indexOf("\r\n\r\n");
      if (end < 0) return;
      const head = soFar.toString("latin1", 0, end);
      const length = /content-length: (\d+)/i.exec(head);
      if (length === null) {
        this.#waiting?.reject(new Error(`a reply without content-length: ${head}`));
        return;
      }
      this.#headEnd = end + 4;
      this.#needed = this.#headEnd + Number(length[1]);
    }
    if (this.#size < this.#needed) return;
    const whole = this.#received.length === 1 ? (this.#received[0] as Buffer) : Buffer.concat(this.#received);
    const head = whole.toString("latin1", 0, this.#headEnd);
    const body = whole.subarray(this.#headEnd, this.#needed);
    this.#received = [];
    this.#size = 0;
    this.#needed = 0;
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.resolve({ status: Number(head.slice(9, 12)), head, body });
  }
}

/** The bytes of a request. */
export function requestBytes(
  method: string,
  path: string,
  headers: Readonly<Record<string, string>>,
  body: Uint8Array = new Uint8Array(),
): Uint8Array {
  const lines = Object.entries({ host: "127.0.0.1", ...headers, "content-length": String(body.byteLength) }).map(
    ([name, value]) => `${name}: ${value}\r\n`,
  );
  return Buffer.concat([Buffer.from(`${method} ${path} HTTP/1.1\r\n${lines.join("")}\r\n`), body]);
}
