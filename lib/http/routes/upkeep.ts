/** What an operator does by hand: start a job, have a topic checked. */
import * as z from "zod";
import { BrokerlessError } from "../../base/errors.ts";
import { snakeCased } from "../../base/names.ts";
import type { VerifyEvent } from "../../log/types.ts";
import { onCluster, onTopic } from "../access.ts";
import { json } from "../call.ts";
import { errorBody } from "../errors.ts";
import { type Operation, operation } from "../operation.ts";
import { flag, wholeNumber } from "../query.ts";
import type { Upkeep } from "../surface.ts";

/** More lines than these are counted, not sent. */
const LINES_MOST = 10_000;
const NDJSON = "application/x-ndjson";

export function jobOperations(upkeep: Upkeep): Operation[] {
  const runJob = operation({
    id: "runJob",
    method: "POST",
    path: "/v1/jobs/{job}",
    tag: "service",
    summary: `Run a job behind the writers now, for some seconds: ${upkeep.jobs.join(", ")}`,
    access: onCluster("admin"),
    query: z.strictObject({
      dry_run: flag.optional().describe("change nothing, and say what would be done"),
      by_hand: flag.optional().describe("look at everything, due or not; roll: seal the tails first. Default true"),
    }),
    responses: {
      200: {
        description: "what it did; left: call it again for the rest",
        content: {
          "application/json": z.object({
            job: z.string(),
            dry_run: z.boolean(),
            left: z.boolean(),
            counts: z.record(z.string(), z.number()),
            lines: z.array(z.string()),
            lines_left_out: z.int(),
          }),
        },
      },
    },
    async handle({ params, query, call, surface }) {
      const job = params["job"] as string;
      if (!upkeep.jobs.includes(job)) {
        const known = upkeep.jobs.join(", ");
        throw new BrokerlessError("not_found", `there is no job ${JSON.stringify(job)}; there are ${known}`, { field: "job" });
      }
      const lines: string[] = [];
      let leftOut = 0;
      const say = (line: string): void => {
        if (lines.length < LINES_MOST) lines.push(line);
        else leftOut++;
      };
      const { left, ...counts } = await upkeep.run(job, {
        dryRun: query.dry_run ?? false,
        byHand: query.by_hand ?? true,
        signal: AbortSignal.any([call.signal(), surface.stopping]),
        say,
        warn: say,
      });
      return json({ job, dry_run: query.dry_run ?? false, left, counts: snakeCased(counts), lines, lines_left_out: leftOut });
    },
  });
  return [runJob];
}

export function verifyOperations(): Operation[] {
  const verifyTopic = operation({
    id: "verifyTopic",
    method: "GET",
    path: "/v1/topics/{topic}/verify",
    tag: "service",
    summary: "Check all that a topic has: CRCs, offsets without a gap, segments against their index",
    access: onTopic("read", "topic"),
    query: z.strictObject({
      partition: wholeNumber(0, 2 ** 31 - 1)
        .optional()
        .describe("only this one. Default: all"),
    }),
    responses: {
      200: {
        description: "a line of JSON for each problem, now and then for how far it is, and for each partition when it is done",
        content: { [NDJSON]: "binary" },
      },
    },
    async handle({ surface, query, params }) {
      const topic = params["topic"] as string;
      const events = surface.log
        .verify(topic, query.partition === undefined ? undefined : [query.partition])
        [Symbol.asyncIterator]();
      // What is wrong with the question is answered before the first line.
      const first = await events.next();
      const headers = { "content-type": NDJSON, "cache-control": "no-store" };
      return { status: 200, headers, body: lines(first, events), compressible: false };
    },
  });
  return [verifyTopic];
}

async function* lines(first: IteratorResult<VerifyEvent>, rest: AsyncIterator<VerifyEvent>): AsyncGenerator<Uint8Array> {
  const encoder = new TextEncoder();
  const line = (value: unknown): Uint8Array => encoder.encode(`${JSON.stringify(value)}\n`);
  try {
    for (let next = first; next.done !== true; next = await rest.next()) yield line(snakeCased(next.value));
  } catch (error) {
    if (!(error instanceof BrokerlessError)) throw error;
    yield line({ kind: "error", ...errorBody(error) });
  } finally {
    await rest.return?.();
  }
}
