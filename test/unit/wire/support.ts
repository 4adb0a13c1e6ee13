/** The Kafka API over a log over memory, and a client that says one thing at a time. */
import { ANYONE } from "../../../lib/auth/index.ts";
import { concatBytes } from "../../../lib/base/bytes.ts";
import { readResponse, writeRequest } from "../../../lib/kafka/protocol/messages.ts";
import type { Api, Decoded, Encodable, Shape } from "../../../lib/kafka/protocol/schema.ts";
import { type ConnectionState, createKafkaApi, type KafkaApi, type KafkaParts, openConnection } from "../../../lib/wire/index.ts";
import { type Bench, logOverMemory } from "../log/support.ts";

export interface WireBench extends Bench {
  readonly api: KafkaApi;
  readonly connection: ConnectionState;
  readonly internalErrors: unknown[];
  /** The frame of an answer. */
  send(frame: Uint8Array, signal?: AbortSignal): Promise<Uint8Array | undefined>;
  ask<Req extends Shape, Res extends Shape>(
    api: Api<Req, Res>,
    version: number,
    body: Encodable<Req>,
    signal?: AbortSignal,
  ): Promise<Decoded<Res>>;
}

export function wireOverMemory(settings: Partial<KafkaParts["settings"]> = {}, parts: Partial<KafkaParts> = {}): WireBench {
  const bench = logOverMemory();
  const internalErrors: unknown[] = [];
  const api = createKafkaApi({
    log: bench.log,
    clock: bench.clock,
    settings: { autoCreateTopics: true, defaultPartitions: 1, ...settings },
    onInternalError: (error) => internalErrors.push(error),
    ...parts,
  });
  const connection = openConnection({
    advertised: { host: "broker.example", port: 9092 },
    peer: "127.0.0.1",
    principal: ANYONE,
    isPrivate: true,
    limits: { responseBytes: 50 * 1024 * 1024, waitMs: 30_000 },
  });
  const send = async (frame: Uint8Array, signal?: AbortSignal): Promise<Uint8Array | undefined> => {
    const pieces = await api.handle(frame, connection, signal);
    return pieces && concatBytes(pieces);
  };
  let lastId = 0;
  return {
    ...bench,
    api,
    connection,
    internalErrors,
    send,
    async ask(messages, version, body, signal) {
      const id = ++lastId;
      const header = { apiVersion: version, correlationId: id, clientId: "test" };
      const answer = await send(concatBytes(writeRequest(messages, header, body)), signal);
      if (answer === undefined) throw new Error(`${messages.name} was not answered`);
      const response = readResponse(messages, version, answer);
      if (response.correlationId !== id) throw new Error(`the answer is to ${response.correlationId}`);
      return response.body;
    },
  };
}
