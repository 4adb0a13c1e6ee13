/**
 * KafkaJS over HTTPS: a `socketFactory` whose sockets post their frames to `/kafka`. KafkaJS itself is not touched, and
 * not imported.
 */
import type { Socket } from "node:net";
import { Duplex } from "node:stream";
import { totalBytes } from "../base/bytes.ts";
import { BrokerlessError } from "../base/errors.ts";
import type { Fetch } from "../client/http.ts";
import { FrameReader } from "../wire/framing.ts";
import { takeTogether } from "./batch.ts";
import { Relay, type RelayOptions } from "./relay.ts";

export interface KafkaOverHttpsOptions {
  /** The server: `https://...`, without `/kafka`. */
  readonly url: string;
  /** Sent as bearer token, unless KafkaJS is given `sasl` (mechanism `plain`, with a token as password). */
  readonly token?: string | undefined;
  /** Default: the global `fetch`. */
  readonly fetch?: Fetch | undefined;
  /** How long a server that is not there is waited for before a connection fails. Default 20,000. */
  readonly patienceMs?: number | undefined;
}

export interface SocketFactoryArgs {
  readonly host: string;
  readonly port: number;
  readonly onConnect: () => void;
}

const MAX_FRAME_BYTES = 2 ** 30;
/** Nothing more is taken while so much waits to be posted. */
const AHEAD_BYTES = 1024 * 1024;

/**
 * For KafkaJS: `new Kafka({ brokers: ["brokerless:443"], socketFactory: kafkaOverHttps({ url }) })`. The brokers' names mean
 * nothing: every connection goes to `url`. A request that fails closes its connection with an error, as a broker that
 * has gone; KafkaJS connects again. Throws `invalid_request` for an address that is none.
 */
export function kafkaOverHttps(options: KafkaOverHttpsOptions): (args: SocketFactoryArgs) => Socket {
  // What is wrong with the address is told here, and not with every connection.
  new Relay({ ...options, advertise: "" });
  return ({ host, port, onConnect }) => {
    const socket = new HttpsSocket({ ...options, advertise: `${host.includes(":") ? `[${host}]` : host}:${port}` });
    // Who calls is given the socket first.
    setImmediate(onConnect);
    // KafkaJS uses a socket as a stream, and `unref`.
    return socket as unknown as Socket;
  };
}

class HttpsSocket extends Duplex {
  readonly #relay: Relay;
  readonly #reader = new FrameReader(MAX_FRAME_BYTES);
  readonly #waiting: Uint8Array[] = [];
  readonly #gone = new AbortController();
  #waitingBytes = 0;
  #isPosting = false;
  #onRoom: (() => void) | undefined;
  #onFinal: (() => void) | undefined;

  constructor(options: RelayOptions) {
    super({ allowHalfOpen: false });
    this.#relay = new Relay(options);
  }

  override _write(piece: Uint8Array, _encoding: BufferEncoding, done: (error?: Error) => void): void {
    // The bytes are the writer's again when it has been told that they are taken.
    for (const frame of this.#reader.push(piece.slice())) {
      this.#waiting.push(frame);
      this.#waitingBytes += frame.byteLength;
    }
    if (this.#reader.error !== undefined) {
      done(this.#reader.error);
      return;
    }
    this.#go();
    if (this.#waitingBytes > AHEAD_BYTES) this.#onRoom = done;
    else done();
  }

  override _final(done: () => void): void {
    this.#onFinal = done;
    this.#go();
  }

  override _read(): void {}

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#gone.abort();
    done(error);
  }

  ref(): this {
    return this;
  }

  /** A request under way keeps the process alive, nothing else does. */
  unref(): this {
    return this;
  }

  setKeepAlive(): this {
    return this;
  }

  setNoDelay(): this {
    return this;
  }

  #go(): void {
    if (this.destroyed || this.#isPosting) return;
    if (this.#waiting.length === 0) {
      if (this.#onFinal === undefined) return;
      this.#onFinal();
      this.push(null);
      return;
    }
    const frames = this.#waiting.splice(0, takeTogether(this.#waiting, []));
    this.#isPosting = true;
    this.#waitingBytes -= totalBytes(frames);
    const onRoom = this.#onRoom;
    if (onRoom !== undefined && this.#waitingBytes <= AHEAD_BYTES) {
      this.#onRoom = undefined;
      onRoom();
    }
    this.#relay.answer(frames, this.#gone.signal).then(
      (answers) => {
        this.#isPosting = false;
        if (this.destroyed) return;
        for (const answer of answers) for (const piece of answer ?? []) this.push(piece);
        if (answers.length < frames.length) this.push(null);
        else this.#go();
      },
      (error: unknown) => this.destroy(socketError(error)),
    );
  }
}

/** As a socket's errors are: with a code. */
function socketError(error: unknown): Error {
  const { message } = error as Error;
  const unreachable = error instanceof BrokerlessError && error.details["unreachable"] === true;
  return Object.assign(new Error(message, { cause: error }), { code: unreachable ? "ECONNREFUSED" : "ECONNRESET" });
}
