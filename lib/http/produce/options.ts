/** How a produce request wants to be treated: acks, idempotence. */
import * as z from "zod";
import { BrokerlessError } from "../../base/errors.ts";
import { type Partitioner, partitionOfKey } from "../../kafka/index.ts";
import { checkIdempotencyKey } from "../../log/idempotency-key.ts";
import type { AppendOptions } from "../../log/types.ts";
import type { Exchange } from "../exchange.ts";
import type { Surface } from "../surface.ts";
import type { ProducerPlace } from "./encode.ts";

const acksSchema = z.enum(["0", "1", "-1", "all"]);

export const produceQuery = z.strictObject({
  acks: acksSchema.optional().describe("0: answer before the commit, where the server can; 1, -1 and all: after it, durably"),
});

export type ProduceQuery = z.infer<typeof produceQuery>;

export const PRODUCE_HEADERS: Readonly<Record<string, string>> = {
  "Idempotency-Key":
    "1 to 255 printable characters without spaces: the same request with the same key is done once and answered alike for 24 hours",
  "Kafka-Acks": "as the query parameter acks",
};

export const PRODUCER_HEADERS: Readonly<Record<string, string>> = {
  "Producer-Id": "an idempotent producer's id, from POST /v1/producer-ids",
  "Producer-Epoch": "its epoch, 0 at first",
  "Producer-Seq": "the sequence of the first record; it grows by one a record and wraps to 0 after 2147483647",
};

export interface ProduceOptions {
  /** Answer before the commit? */
  readonly fireAndForget: boolean;
  readonly append: AppendOptions | undefined;
  readonly producer: ProducerPlace | undefined;
}

const PLAIN: ProduceOptions = { fireAndForget: false, append: undefined, producer: undefined };

/** Throws `invalid_request`. `producer` headers are taken only where the partition is given. */
export function produceOptions(exchange: Exchange<ProduceQuery>, partitionGiven: boolean): ProduceOptions {
  const { call, query } = exchange;
  const key = call.header("idempotency-key");
  const producerId = call.header("producer-id");
  const epoch = call.header("producer-epoch");
  const sequence = call.header("producer-seq");
  const acks = query.acks ?? acksHeader(call.header("kafka-acks"));
  if (key === undefined && acks === undefined && producerId === undefined && epoch === undefined && sequence === undefined)
    return PLAIN;

  if (key !== undefined) checkIdempotencyKey(key);
  const producer = producerPlace(producerId, epoch, sequence);
  if (producer !== undefined && !partitionGiven) {
    throw new BrokerlessError(
      "invalid_request",
      "Producer-Id goes with a partition in the path: sequences are counted for each partition; send to /topics/{topic}/partitions/{partition}/records",
      { field: "Producer-Id" },
    );
  }
  if (producer !== undefined && key !== undefined) {
    throw new BrokerlessError(
      "invalid_request",
      "send Producer-Id or Idempotency-Key, not both: each alone keeps a retry from writing twice",
      {
        field: "Idempotency-Key",
      },
    );
  }
  return { fireAndForget: acks === "0", append: key === undefined ? undefined : keyed(exchange, key), producer };
}

/** The hash is taken when the append begins: by then the body is read. */
function keyed(exchange: Exchange, idempotencyKey: string): AppendOptions {
  return {
    idempotencyKey,
    get requestHash() {
      return exchange.requestHash();
    },
  };
}

/**
 * How records without a partition are placed: by key, and sticky without one; under an `Idempotency-Key` keyless records
 * go by that, so that a request that is sent again goes where it went.
 */
export function partitionerFor({ partitioner }: Surface, options: ProduceOptions): Partitioner {
  const key = options.append?.idempotencyKey;
  if (key === undefined) return partitioner;
  const bytes = new TextEncoder().encode(key);
  return (record, context) =>
    record.key === null ? partitionOfKey(bytes, context.partitionCount) : partitioner(record, context);
}

function acksHeader(text: string | undefined): ProduceQuery["acks"] {
  if (text === undefined) return undefined;
  const result = acksSchema.safeParse(text);
  if (result.success) return result.data;
  throw new BrokerlessError("invalid_request", `Kafka-Acks takes 0, 1, -1 or all; it is ${JSON.stringify(text)}`, {
    field: "Kafka-Acks",
  });
}

function producerPlace(
  id: string | undefined,
  epoch: string | undefined,
  sequence: string | undefined,
): ProducerPlace | undefined {
  if (id === undefined && epoch === undefined && sequence === undefined) return undefined;
  return {
    producerId: headerNumber("Producer-Id", id, Number.MAX_SAFE_INTEGER),
    producerEpoch: headerNumber("Producer-Epoch", epoch, 2 ** 15 - 1),
    baseSequence: headerNumber("Producer-Seq", sequence, 2 ** 31 - 1),
  };
}

function headerNumber(name: string, text: string | undefined, max: number): number {
  const value = text !== undefined && /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (value <= max) return value;
  const found =
    text === undefined ? "is missing; Producer-Id, Producer-Epoch and Producer-Seq go together" : `is ${JSON.stringify(text)}`;
  throw new BrokerlessError("invalid_request", `${name} takes a whole number from 0 to ${max}; it ${found}`, { field: name });
}
