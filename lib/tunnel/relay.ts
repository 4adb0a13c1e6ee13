/**
 * The frames of one Kafka connection, over `POST /kafka`.
 *
 * T1  Frames are posted in order, one request at a time; their answers come back in order.
 * T2  A request is sent again only when it was certainly not done, or when it changes nothing. Else the connection is
 *     closed, as a broker's that has died: the client knows what it may send again (an idempotent producer all of it).
 * T4  Who a client is it says here (`sasl.ts`); from then on its token goes with every post of its connection.
 * T3  A server that is not there is waited for, up to a time; then the connection is closed.
 */
import { concatBytes, totalBytes } from "../base/bytes.ts";
import { BrokerlessError } from "../base/errors.ts";
import { Deadline } from "../client/deadline.ts";
import { createHttp, type Fetch, type Http } from "../client/http.ts";
import { pauseMs, sleep } from "../client/retry.ts";
import { metadata } from "../kafka/protocol/api/metadata.ts";
import { writeRequest } from "../kafka/protocol/messages.ts";
import { apiKeyOf, framesOf, lengthPrefix, RESPONSE_BYTES } from "../wire/framing.ts";
import type { Answer } from "../wire/tcp/types.ts";
import { isReadOnly, isSasl, mayWait } from "./api-keys.ts";
import { matchAnswers } from "./batch.ts";
import { SaslAtHand } from "./sasl.ts";

const KAFKA_MEDIA_TYPE = "application/vnd.kafka";
const ADVERTISE_HEADER = "kafka-advertise";

/** Over the longest that a server lets a request wait. */
const REQUEST_TIMEOUT_MS = 60_000;
const PATIENCE_MS = 20_000;
const MAX_RESPONSE_BYTES = 2 ** 31 - 1;

export interface RelayOptions {
  /** The server: `https://...`, without `/kafka`. */
  readonly url: string;
  /** Sent as bearer token, until the client itself says who it is by SASL. */
  readonly token?: string | undefined;
  /** `host:port` that clients shall find brokers at. */
  readonly advertise: string;
  /** Default: the global `fetch`. */
  readonly fetch?: Fetch | undefined;
  /** How long a server that is not there is waited for. Default 20,000. */
  readonly patienceMs?: number | undefined;
  /** Called when a request is about to be sent again. */
  readonly onRetry?: ((error: BrokerlessError) => void) | undefined;
}

export class Relay {
  readonly #options: RelayOptions;
  #http: Http;
  readonly #sasl = new SaslAtHand((token) => this.#take(token));

  /** Throws `invalid_request` for an address that is none. */
  constructor(options: RelayOptions) {
    this.#options = options;
    this.#http = createHttp(options);
  }

  /**
   * Posts frames and resolves with their answers, in order; fewer where the server answered no further, as a broker that
   * closes the connection. Throws what became of them. After either the connection is of no use.
   */
  async answer(frames: readonly Uint8Array[], signal: AbortSignal): Promise<readonly Answer[]> {
    const [first] = frames;
    if (first !== undefined && (this.#sasl.isBare || (frames.length === 1 && isSasl(apiKeyOf(first))))) {
      const pieces = await this.#sasl.answer(first);
      return [[lengthPrefix(totalBytes(pieces)), ...pieces]];
    }
    return matchAnswers(frames, await this.#post(frames, signal));
  }

  /** Asks the server for nothing, with this token. */
  async #take(token: string): Promise<void> {
    const before = this.#http;
    this.#http = createHttp({ ...this.#options, token });
    try {
      const header = { apiVersion: 4, correlationId: 0, clientId: null };
      const nothing = concatBytes(
        writeRequest(metadata, header, {
          topics: [],
          allowAutoTopicCreation: false,
          includeTopicAuthorizedOperations: false,
        }),
      );
      await this.#post([nothing], new AbortController().signal);
    } catch (error) {
      this.#http = before;
      throw error;
    }
  }

  async #post(frames: readonly Uint8Array[], signal: AbortSignal): Promise<readonly Uint8Array[]> {
    const { patienceMs = PATIENCE_MS, onRetry } = this.#options;
    const patience = new Deadline(patienceMs, signal);
    try {
      for (let attempt = 0; ; attempt++) {
        try {
          return await this.#postOnce(frames, signal);
        } catch (error) {
          if (!(error instanceof BrokerlessError) || !mayTryAgain(error) || patience.signal.aborted) throw error;
          onRetry?.(error);
          await sleep(pauseMs(attempt, error, {}, Math.random()), patience.signal);
          if (patience.signal.aborted) throw error;
        }
      }
    } finally {
      patience.clear();
    }
  }

  async #postOnce(frames: readonly Uint8Array[], signal: AbortSignal): Promise<readonly Uint8Array[]> {
    const readOnly = frames.every((frame) => isReadOnly(apiKeyOf(frame)));
    // What is not there to wait is done, also when its sender has gone.
    const limit = new Deadline(REQUEST_TIMEOUT_MS, frames.some((frame) => mayWait(apiKeyOf(frame))) ? signal : undefined);
    try {
      const response = await this.#http.open({
        method: "POST",
        path: ["kafka"],
        headers: {
          "content-type": KAFKA_MEDIA_TYPE,
          accept: KAFKA_MEDIA_TYPE,
          [ADVERTISE_HEADER]: this.#options.advertise,
        },
        body: concatBytes(frames.flatMap((frame) => [lengthPrefix(frame.byteLength), frame])),
        signal: limit.signal,
        readOnly,
      });
      const body = await this.#body(response, readOnly);
      return framesOf(body, MAX_RESPONSE_BYTES, RESPONSE_BYTES);
    } finally {
      limit.clear();
    }
  }

  async #body(response: Response, readOnly: boolean): Promise<Uint8Array> {
    const type = response.headers.get("content-type");
    if (type?.split(";")[0]?.trim() !== KAFKA_MEDIA_TYPE) {
      await response.body?.cancel();
      throw new BrokerlessError(
        readOnly ? "invalid_request" : "outcome_unknown",
        `${this.#http.baseUrl}/kafka answered ${type ?? "without a type"}, not ${KAFKA_MEDIA_TYPE}: is it a Brokerless server?`,
        { outcome: readOnly ? "not_applied" : "unknown" },
      );
    }
    try {
      return new Uint8Array(await response.arrayBuffer());
    } catch (cause) {
      if (readOnly) throw new BrokerlessError("unavailable", "the answer was cut short", { cause });
      throw new BrokerlessError("outcome_unknown", "the answer was cut short: what was sent may or may not have been done", {
        outcome: "unknown",
        cause,
      });
    }
  }
}

function mayTryAgain(error: BrokerlessError): boolean {
  return error.retriable && error.details["aborted"] !== true;
}
