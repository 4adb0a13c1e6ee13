/** Kafka's own protocol over HTTP: frames in, frames out. */
import * as z from "zod";
import { concatBytes } from "../../base/bytes.ts";
import { BrokerlessError } from "../../base/errors.ts";
import { principalOf } from "../access.ts";
import type { Reply } from "../call.ts";
import type { Exchange } from "../exchange.ts";
import { type Operation, operation } from "../operation.ts";
import { unsupportedType } from "../produce/media.ts";
import type { KafkaFrames } from "../surface.ts";

/** Requests, each with its length before it; or their responses. */
const KAFKA_FRAMES = "application/vnd.kafka";
const OCTETS = "application/octet-stream";
const ADVERTISE = "kafka-advertise";

export function kafkaOperations(): Operation[] {
  return [
    operation({
      id: "kafka",
      method: "POST",
      path: "/kafka",
      tag: "kafka",
      summary: "Requests of Kafka's protocol, answered in order; without a token, where tokens are asked for, ApiVersions alone",
      // Each request in it asks for its own rights.
      access: "open",
      query: z.strictObject({}),
      headers: { [ADVERTISE]: "host:port that the answers name as the broker's; else the one that was called" },
      body: { [KAFKA_FRAMES]: "binary", [OCTETS]: "binary" },
      responses: {
        200: {
          description: "the responses; fewer than requests where one was refused, as a broker that closes the connection",
          content: { [KAFKA_FRAMES]: "binary" },
        },
      },
      handle: answerFrames,
    }),
  ];
}

async function answerFrames(exchange: Exchange): Promise<Reply> {
  const { call, surface } = exchange;
  const isNobody = surface.guard !== undefined && call.header("authorization") === undefined;
  const principal = isNobody ? undefined : await principalOf(call, surface.guard);
  const type = exchange.contentType();
  // Who says nothing is told nothing, but for what is served.
  if (isNobody && type !== KAFKA_FRAMES && type !== OCTETS) await principalOf(call, surface.guard);
  if (type !== KAFKA_FRAMES && type !== OCTETS) throw unsupportedType(type ?? "missing", [KAFKA_FRAMES, OCTETS]);
  const advertised = advertisedAddress(call.header(ADVERTISE), call.origin);
  const body = await exchange.body();
  if (body.byteLength === 0) {
    throw new BrokerlessError("invalid_request", "the body is empty; it takes requests of Kafka's protocol", { field: "body" });
  }
  const signal = AbortSignal.any([call.signal(), surface.stopping]);
  const pieces = await (surface.kafka as KafkaFrames)(body, { advertised, principal, limits: surface.limits }, signal);
  return {
    status: 200,
    headers: { "content-type": KAFKA_FRAMES, "cache-control": "no-store" },
    body: concatBytes(pieces),
    compressible: false,
  };
}

const MAX_HOST = 255;

function advertisedAddress(header: string | undefined, origin: string): { host: string; port: number } {
  if (header === undefined) {
    const { hostname, port, protocol } = new URL(origin);
    return { host: hostname.replace(/^\[(.*)\]$/, "$1"), port: port === "" ? (protocol === "http:" ? 80 : 443) : Number(port) };
  }
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^\s:[\]]+)):(\d{1,5})$/.exec(header);
  const host = match?.[1] ?? match?.[2] ?? "";
  const port = Number(match?.[3]);
  if (match === null || host.length > MAX_HOST || port < 1 || port > 65_535) {
    throw new BrokerlessError(
      "invalid_request",
      `Kafka-Advertise is host:port with a port from 1 to 65535; it is ${JSON.stringify(header.slice(0, 300))}`,
      { field: "Kafka-Advertise" },
    );
  }
  return { host, port };
}
