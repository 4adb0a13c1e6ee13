/** A listener for Kafka's frames, whoever answers them: the server's log, or the tunnel. */

/** The two ends of a connection. */
export interface Peer {
  readonly remoteHost: string;
  readonly remotePort: number;
  /** The address that the peer called. */
  readonly localHost: string;
  readonly localPort: number;
  /** Is it TLS? */
  readonly isEncrypted: boolean;
}

/** The pieces of a response, its length before it; undefined where the request has none (`acks=0`). */
export type Answer = readonly Uint8Array[] | undefined;

/** What answers frames. */
export interface FrameService<State> {
  /** A connection has come. */
  open(peer: Peer): State;
  /**
   * How many of the waiting frames, from the first on, are handed to `answer` together, now that `running` are being
   * answered. 0: none before one of these is answered. Is never asked with nothing waiting; with nothing running it
   * takes one at least.
   */
  take(waiting: readonly Uint8Array[], running: readonly Uint8Array[]): number;
  /**
   * Answers frames in their order. With fewer answers than frames the connection is closed after these; with a
   * rejection, once what was asked before is answered.
   * `signal` aborts when nobody waits any more: waiting ends, what was begun goes on.
   */
  answer(frames: readonly Uint8Array[], state: State, signal: AbortSignal): Promise<readonly Answer[]>;
  /** A connection has gone. */
  close?(state: State): void;
}

export interface TcpLimits {
  /** The largest frame. */
  readonly frameBytes: number;
  /** Of all connections: requests that are read and not answered, responses that are not taken. */
  readonly inFlightBytes: number;
  /** Of one connection: how far requests are read ahead. */
  readonly aheadBytes: number;
  /** Of one connection: nothing more is answered while so much waits to be taken. */
  readonly outputBytes: number;
  readonly connections: number;
  /** Nothing asked for so long: closed (Kafka's `connections.max.idle.ms`). */
  readonly idleMs: number;
  /** How long a frame may take to come, once it has begun. */
  readonly frameMs: number;
  /** How long a peer may take nothing of what waits for it. */
  readonly stallMs: number;
}

const MIB = 1024 * 1024;

export const DEFAULT_TCP_LIMITS: TcpLimits = {
  frameBytes: 16 * MIB,
  inFlightBytes: 256 * MIB,
  aheadBytes: MIB,
  outputBytes: MIB,
  connections: 10_000,
  idleMs: 600_000,
  frameMs: 60_000,
  stallMs: 60_000,
};
