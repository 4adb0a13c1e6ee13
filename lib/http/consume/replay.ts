/** The rest of a partition, up to where it ends now, streamed: read ahead by one fetch, never held whole. */
import { BrokerlessError } from "../../base/errors.ts";
import { readShown } from "../../log/read/shown.ts";
import type { Isolation, ReadResult } from "../../log/types.ts";
import type { Reply } from "../call.ts";
import type { Exchange } from "../exchange.ts";
import { RAW_BATCHES } from "../produce/media.ts";
import type { Place, Representation } from "./representations.ts";
import { batchesBelow, walkRecords } from "./walk.ts";
import { JsonWriter } from "./writer.ts";

/** One fetch of a replay. */
const FETCH_BYTES = 4 * 1024 * 1024;
/** How much JSON is gathered before it is sent. */
const CHUNK_BYTES = 512 * 1024;

/** Without a representation the batches are sent as they are. Throws what the first fetch throws. */
export async function replay(
  exchange: Exchange,
  place: Place,
  offset: number,
  isolation: Isolation,
  representation?: Representation,
): Promise<Reply> {
  const { log } = exchange.surface;
  const { topic, partition } = place;
  const first = await readShown(log, { topic, partition, offset, maxBytes: FETCH_BYTES, isolation });
  const end = first.logEndOffset;
  const headers = {
    "content-type": representation?.mediaType ?? RAW_BATCHES,
    "cache-control": "no-store",
    vary: "accept, accept-encoding",
    "kafka-next-offset": String(end),
    "kafka-log-start-offset": String(first.logStartOffset),
    "kafka-log-end-offset": String(end),
  };
  const fetches = fetchAll(exchange, place, first, end, isolation);
  const body =
    representation === undefined ? raw(fetches, end) : rendered(exchange, place, offset, fetches, first, end, representation);
  return { status: 200, headers, body, compressible: representation !== undefined };
}

async function* fetchAll(
  exchange: Exchange,
  { topic, partition }: Place,
  first: ReadResult,
  end: number,
  isolation: Isolation,
): AsyncGenerator<ReadResult> {
  const { log } = exchange.surface;
  const read = (offset: number): Promise<ReadResult> | undefined => {
    if (offset >= end) return undefined;
    const ahead = readShown(log, { topic, partition, offset, maxBytes: FETCH_BYTES, isolation });
    // Its failure is seen when it is awaited, or nobody wants it any more.
    ahead.catch(() => {});
    return ahead;
  };
  let offset = first.nextOffset;
  let ahead = read(offset);
  yield first;
  while (ahead !== undefined) {
    const result: ReadResult = await ahead;
    if (result.nextOffset <= offset)
      throw new BrokerlessError("unavailable", `nothing can be read at offset ${offset}, before the end at ${end}`);
    offset = result.nextOffset;
    ahead = read(offset);
    yield result;
  }
}

async function* raw(fetches: AsyncIterable<ReadResult>, end: number): AsyncGenerator<Uint8Array> {
  for await (const { batches, nextOffset } of fetches) yield* nextOffset > end ? batchesBelow(batches, end) : batches;
}

async function* rendered(
  exchange: Exchange,
  place: Place,
  offset: number,
  fetches: AsyncIterable<ReadResult>,
  first: ReadResult,
  end: number,
  representation: Representation,
): AsyncGenerator<Uint8Array> {
  const { codecs } = exchange.surface;
  const out = new JsonWriter(CHUNK_BYTES + 256 * 1024);
  let empty = true;
  representation.begin(out, place, first);
  for await (const { batches } of fetches) {
    for (const bytes of batches) {
      walkRecords([bytes], codecs, offset, end, (record, timestampType) => {
        representation.record(out, place, record, timestampType, empty);
        empty = false;
      });
      if (out.sizeBytes >= CHUNK_BYTES) yield out.take();
    }
  }
  representation.end(out, end);
  yield out.take();
}
